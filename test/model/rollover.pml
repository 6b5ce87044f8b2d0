// SPDX-License-Identifier: BSD-2-Clause
// The ASID allocator of arch/riscv/asid.c: two harts run four contexts on three ASIDs. The way
// without the lock (compare-exchange of active[]) runs against rollovers. A TLB keeps, under each
// ASID, what the hart last ran with it; nobody may run another context over that.
// breaks: NO_CHECK NO_EXCHANGE NO_RESERVE NO_FLUSH

#define HARTS    2
#define CONTEXTS 4
#define ASIDS    4 // 0 is the kernel's
#define TURNS    3

#define NUMBER(g, a) ((g) * ASIDS + (a))
#define ASID(n)      ((n) % ASIDS)
#define GENERATION(n) ((n) / ASIDS)

byte generation = 1, next = 1;
byte number[CONTEXTS], active_[HARTS], reserved[HARTS];
bit taken[ASIDS], pending[HARTS];
bit lock;
byte tlb[HARTS * ASIDS]; // context + 1
byte runs[HARTS], with[HARTS]; // context + 1 and its ASID

// A context has one ASID on all harts: flushes name it.
#define SAME(h) (runs[h] != c + 1 || with[h] == ASID(mine))

inline rollover()
{
    generation++;
    taken[1] = 0; taken[2] = 0; taken[3] = 0;
    next = 1;
    i = 0;
    do
    :: i < HARTS ->
#ifdef NO_EXCHANGE
        seen = active_[i];
        active_[i] = 0;
#else
        atomic { seen = active_[i]; active_[i] = 0 };
#endif
        if
        :: seen != 0 -> reserved[i] = seen
        :: else
        fi;
#ifndef NO_RESERVE
        taken[ASID(reserved[i])] = 1;
#endif
        i++
    :: else -> break
    od;
#ifndef NO_FLUSH
    pending[0] = 1; pending[1] = 1
#endif
}

inline keep()
{
    kept = 0;
    if
    :: mine != 0 ->
        i = 0;
        do
        :: i < HARTS ->
            if
            :: reserved[i] == mine -> reserved[i] = NUMBER(generation, ASID(mine)); kept = 1
            :: else
            fi;
            i++
        :: else -> break
        od
    :: else
    fi
}

inline find_free()
{
    do
    :: next < ASIDS && taken[next] -> next++
    :: else -> break
    od;
    if
    :: next < ASIDS -> got = next; next++
    :: else -> got = 0
    fi
}

inline new_number()
{
    keep();
    if
    :: kept -> mine = NUMBER(generation, ASID(mine))
    :: else ->
        find_free();
        if
        :: got == 0 ->
            rollover();
            keep();
            if
            :: kept -> got = ASID(mine)
            :: else -> find_free(); assert(got != 0)
            fi
        :: else
        fi;
        taken[got] = 1;
        mine = NUMBER(generation, got)
    fi
}

proctype hart(byte me)
{
    byte c, mine, was, seen, i, got, turns = 0;
    bit kept, done, flush;

    do
    :: turns < TURNS ->
        turns++;
        select(c : 0 .. 3);
        done = 0;
        flush = 0;
        mine = number[c];
        was = active_[me];
        if
#ifdef NO_CHECK
        :: was != 0 && mine != 0 ->
#else
        :: was != 0 && mine != 0 && GENERATION(mine) == generation ->
#endif
            atomic {
                if
                :: active_[me] == was ->
                    active_[me] = mine; runs[me] = c + 1; with[me] = ASID(mine); done = 1
                :: else
                fi
            }
        :: else
        fi;
        if
        :: !done ->
            atomic { !lock -> lock = 1 };
            mine = number[c];
            if
            :: mine == 0 || GENERATION(mine) != generation -> 
                new_number();
                atomic { number[c] = mine; assert(SAME(0) && SAME(1)) }
            :: else
            fi;
            flush = pending[me];
            pending[me] = 0;
            atomic { active_[me] = mine; runs[me] = c + 1; with[me] = ASID(mine) };
            lock = 0
        :: else
        fi;
        atomic {
            if
            :: flush ->
                tlb[me * ASIDS + 1] = 0; tlb[me * ASIDS + 2] = 0; tlb[me * ASIDS + 3] = 0
            :: else
            fi;
            assert(tlb[me * ASIDS + ASID(mine)] == 0 || tlb[me * ASIDS + ASID(mine)] == c + 1);
            tlb[me * ASIDS + ASID(mine)] = c + 1
        }
    :: turns == TURNS -> break
    od
}

init { atomic { run hart(0); run hart(1) } }
