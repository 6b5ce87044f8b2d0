// SPDX-License-Identifier: BSD-2-Clause
// A lock with priority inheritance changes hands: sync/futex_pi.c, pi.c and core/robust.c. Three threads
// take it twice, by compare-exchange where nobody waits, else by the kernel; the second may give up
// waiting, the first dies with the lock, which is on its robust list or not. All that the kernel does is
// under one lock; user space changes the word whenever it likes. Never two owners, no error but ESRCH
// for a dead owner's lock, nobody waits for ever.
// breaks: NO_BIT NO_BIT_LEFT BLIND NO_LOOK_AGAIN NO_UNPARK NO_EXITING NO_DIED_SEEN LEAVE_TAKEN

#define THREADS 3
#define WAITERS 8
#define DIED    16
#define TID(w)  ((w) & 7)
#define NOBODY  0

mtype = { ALIVE, EXITING, DEAD };

byte word = 0;
bit lock = 0;
chan ring = [THREADS] of { byte }; // who waits, in order of service
byte owner = NOBODY;               // of the ring's leader; while there is one
bit queued[THREADS + 1], woken[THREADS + 1], token[THREADS + 1];
mtype state[THREADS + 1] = ALIVE;
byte inside = NOBODY;
bit robust;

// His robust list was walked, and who waits isn't told yet.
#ifdef NO_DIED_SEEN
#define IS_DYING(him) 0
#else
#define IS_DYING(him) (state[him] == EXITING && TID(seen) == 0)
#endif

#define LOCK   atomic { !lock -> lock = 1 }
#define UNLOCK lock = 0

// done: was it `seen`?
#ifdef BLIND
#define EXCHANGE(new) atomic { word = new; done = 1 }
#else
#define EXCHANGE(new) \
    atomic {          \
        done = word == seen; \
        if            \
        :: done -> word = new \
        :: else       \
        fi            \
    }
#endif

inline enqueue(him)
{
    atomic {
        if
        :: empty(ring) -> owner = him
        :: nempty(ring)
        fi;
        ring ! me;
        queued[me] = 1;
        if
        :: owner == NOBODY -> token[me] = 1 // a dead owner's lock
        :: else
        fi
    }
}

inline dequeue(who)
{
    atomic {
        ring ?? eval(who);
        queued[who] = 0;
        if
        :: owner == NOBODY && len(ring) > 0 -> ring ? <first>; token[first] = 1
        :: else
        fi
    }
}

// What pi_lock_once() does: sets done, and `again` or `error` if it didn't queue.
inline lock_once()
{
    again = 0; error = 0; mine = 0;
    seen = word;
    found = TID(seen);
    LOCK;
    assert(TID(seen) != me);
    if
    :: len(ring) == 0 && TID(seen) == 0 ->
        EXCHANGE(me | (seen & DIED));
        mine = done;
        again = !done
    :: else ->
        if
        :: empty(ring) ->
            him = found;
#ifndef NO_EXITING
            exiting = state[him] == EXITING;
            error = state[him] == DEAD;
#else
            exiting = 0;
            error = state[him] != ALIVE;
#endif
#ifndef NO_LOOK_AGAIN
            again = word != seen;
#endif
        :: nempty(ring) ->
            him = owner;
            exiting = 0;
            if
            :: him != NOBODY && TID(seen) != him && !IS_DYING(him) ->
                again = word != seen;
                assert(again) // else user space wrote nonsense
            :: else
            fi
        fi;
        if
        :: again -> error = 0; exiting = 0
        :: exiting && !again -> again = 1
        :: else
        fi;
        if
        :: !again && !error ->
#ifndef NO_BIT
            EXCHANGE(seen | WAITERS);
#else
            done = 1;
#endif
            again = !done;
            if
            :: done -> enqueue(him)
            :: else
            fi
        :: else
        fi
    fi;
    UNLOCK;
    if
    :: again && exiting -> (state[him] != EXITING)
    :: else
    fi
}

inline adopt()
{
    do
    :: seen = word;
       EXCHANGE(me | DIED | (len(ring) > 1 -> WAITERS : 0));
       if
       :: done -> break
       :: else
       fi
    od;
    atomic {
        owner = me;
        dequeue(me);
        mine = 1
    }
}

// Until it has the lock, or has given up.
inline wait()
{
    leaving = 0;
    do
    :: woken[me] -> woken[me] = 0; mine = 1; break
    :: !woken[me] && (token[me] || may_leave) ->
        if
        :: token[me] -> token[me] = 0
        :: may_leave -> leaving = 1
        fi;
        LOCK;
        if
        :: queued[me] ->
            ring ? <first>;
            if
            :: first == me && owner == NOBODY -> adopt()
            :: else ->
                if
                :: leaving -> dequeue(me)
                :: else
                fi
            fi
        :: else ->
#ifdef LEAVE_TAKEN
            skip
#else
            leaving = 0
#endif
        fi;
        UNLOCK;
        if
        :: mine || leaving -> break
        :: else
        fi
    od
}

inline take()
{
    mine = 0; error = 0;
    atomic {
        if
        :: word == 0 -> word = me; mine = 1
        :: else
        fi
    };
    if
    :: !mine ->
        do
        :: lock_once();
           if
           :: again
           :: else -> break
           fi
        od;
        if
        :: !mine && !error -> wait()
        :: else
        fi
    :: else
    fi
}

inline give()
{
    atomic {
        inside = NOBODY;
        done = word == me;
        if
        :: done -> word = 0
        :: else
        fi
    };
    if
    :: !done ->
        do
        :: seen = word;
           assert(TID(seen) == me);
           first = NOBODY;
           LOCK;
           if
           :: empty(ring) -> EXCHANGE(0)
           :: nempty(ring) ->
               ring ? <first>;
               assert(owner == me);
#ifdef NO_BIT_LEFT
               EXCHANGE(first);
#else
               EXCHANGE(first | (len(ring) > 1 -> WAITERS : 0));
#endif
               if
               :: done -> atomic { owner = first; to = first; dequeue(to) }
               :: else
               fi
           fi;
           UNLOCK;
           if
           :: done -> break
           :: else
           fi
        od;
        if
        :: first != NOBODY -> woken[first] = 1; token[first] = 1
        :: else
        fi
    :: else
    fi
}

inline die()
{
    LOCK;
    state[me] = EXITING;
    UNLOCK;
    inside = NOBODY;
    if
    :: robust ->
        do
        :: seen = word;
           EXCHANGE((seen & WAITERS) | DIED);
           if
           :: done -> break
           :: else
           fi
        od
    :: else
    fi;
    LOCK;
    if
    :: len(ring) > 0 && owner == me ->
        owner = NOBODY;
        ring ? <first>;
#ifndef NO_UNPARK
        token[first] = 1
#endif
    :: else
    fi;
    state[me] = DEAD;
    UNLOCK
}

proctype thread(byte me; bit may_leave; bit mortal)
{
    byte seen, found, him, first, to, turns = 0;
    bit done, again, error, exiting, mine, leaving;
    do
    :: turns < 2 ->
        turns++;
        take();
        if
        :: mine ->
            assert(inside == NOBODY);
            inside = me;
            if
            :: mortal -> die(); break
            :: else -> give()
            fi
        :: else -> assert(leaving || (error && state[1] == DEAD && !robust))
        fi
    :: else -> break
    od
}

init
{
    atomic {
        if
        :: robust = 0
        :: robust = 1
        fi;
        run thread(1, 0, 1);
        run thread(2, 1, 0);
        run thread(3, 0, 0)
    }
}
