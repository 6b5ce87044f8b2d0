// SPDX-License-Identifier: BSD-2-Clause
// Wait against wake against requeue: sync/futex_wait.c, futex.c and futex_requeue.c. Two threads wait
// at A, the second may time out; a waker changes the word and wakes, first at A, then at B; one
// requeues from A to B, one from B to A. Buckets are locks; a waiter is memory that is gone once its
// thread returned, and so may the thread be. A waker looks at the bucket's count before he takes its
// lock. His change of the word, and the count of one who waits, reach memory late, but before what
// they release, and before they pass a fence. Whoever is counted as woken returns so, nobody sleeps on, and nobody
// touches what is gone.
// breaks: CHECK_OUTSIDE NO_WAKER_FENCE NO_WAITER_FENCE COUNT_LATER NO_COUNT_MOVED NO_RECHECK NO_AWAIT WOKEN_EARLY NO_ORDER NO_GET EATEN

#define WAITERS 2
#define NOWHERE 2 // a waker took it

bit word = 0, late_word = 0;
bit lock[2];
byte count[2]; // in each bucket, or about to be
bit late_count[WAITERS];
byte where[WAITERS] = NOWHERE; // the bucket
bit queued[WAITERS * 2];       // [bucket * WAITERS + waiter]: the rings
bit woken[WAITERS], token[WAITERS];
bit here[WAITERS] = 1;         // its stack is
byte refs[WAITERS] = 1;        // of the thread
byte counted = 0, returned = 0;
bit over = 0;                  // all wakes were done

#define LOCK(b)   atomic { !lock[b] -> lock[b] = 1 }
#define UNLOCK(b) lock[b] = 0

active proctype memory()
{
end:
    do
    :: atomic { late_word -> word = 1; late_word = 0 }
    :: atomic { late_count[0] -> count[0]++; late_count[0] = 0 }
    :: atomic { late_count[1] -> count[0]++; late_count[1] = 0 }
    od
}

inline remove(b, w)
{
    assert(here[w]);
    queued[b * WAITERS + w] = 0;
    count[b]--
}

inline leave()
{
    do
    :: b = where[me];
       if
       :: b == NOWHERE ->
#ifndef NO_AWAIT
           (woken[me]);
#endif
#ifndef EATEN
           left = 0;
#else
           left = 1;
#endif
           break
       :: else ->
           LOCK(b);
#ifndef NO_RECHECK
           if
           :: where[me] == b ->
#else
           if
           :: true ->
#endif
               remove(b, me); where[me] = NOWHERE; left = 1
           :: else -> left = 0
           fi;
           UNLOCK(b);
           if
           :: left -> break
           :: else
           fi
       fi
    od
}

proctype waiter(byte me; bit may_time_out)
{
    byte b;
    bit seen, left = 0, taken = 0;
#ifdef CHECK_OUTSIDE
    seen = word;
#endif
    LOCK(0);
#ifndef COUNT_LATER
    late_count[me] = 1;
#ifndef NO_WAITER_FENCE
    (!late_count[me]);
#endif
#endif
#ifndef CHECK_OUTSIDE
    seen = word;
#endif
#ifdef COUNT_LATER
    late_count[me] = 1;
#endif
    (!late_count[me]); // before it lets go of the lock
    if
    :: seen -> count[0]--; UNLOCK(0); goto out // the value differs
    :: else
    fi;
    queued[me] = 1;
    where[me] = 0;
    UNLOCK(0);
    do
    :: woken[me] -> taken = 1; break
    :: atomic { !woken[me] && token[me] -> token[me] = 0 }
    :: may_time_out && !woken[me] ->
        leave();
        taken = !left;
        break
    od;
out:
    returned = returned + taken;
    atomic { here[me] = 0; refs[me]-- }
}

// Take a waiter of bucket b, if there is one; wake it once the lock is dropped.
inline take(b)
{
    if
    :: queued[b * WAITERS] -> w = 0
    :: !queued[b * WAITERS] && queued[b * WAITERS + 1] -> w = 1
    :: else -> w = NOWHERE
    fi;
    if
    :: w != NOWHERE ->
        remove(b, w);
#ifdef WOKEN_EARLY
        woken[w] = 1;
#endif
        assert(here[w]);
        where[w] = NOWHERE;
        counted++
    :: else
    fi
}

inline wake_taken()
{
    if
    :: w != NOWHERE ->
#ifndef NO_GET
        assert(refs[w] > 0);
        refs[w]++;
#endif
        assert(here[w]);
        woken[w] = 1;
        assert(refs[w] > 0);
        token[w] = 1;
#ifndef NO_GET
        refs[w]--
#endif
    :: else
    fi
}

// Wakes all: whoever came before the word was changed is found at one of the two, once the
// requeues are over.
byte moving = 2;

active proctype waker()
{
    byte w, turns;
    late_word = 1;
#ifndef NO_WAKER_FENCE
    (!late_word);
#endif
    do
    :: if
       :: count[0] == 0 -> break
       :: else
       fi;
       LOCK(0);
       take(0);
       (!late_word); // before he lets go of the lock
       UNLOCK(0);
       wake_taken();
       if
       :: w == NOWHERE -> break
       :: else
       fi
    od;
    (moving == 0);
    turns = 0;
    do
    :: turns < 2 && count[turns] == 0 -> turns++
    :: turns < 2 && count[turns] != 0 ->
       LOCK(turns);
       take(turns);
       UNLOCK(turns);
       wake_taken();
       if
       :: w == NOWHERE -> turns++
       :: else
       fi
    :: else -> break
    od;
    over = 1
}

proctype mover(byte from; byte to)
{
    byte w;
#ifdef NO_ORDER
    LOCK(from);
    LOCK(to);
#else
    LOCK(0);
    LOCK(1);
#endif
    w = 0;
    do
    :: w < WAITERS ->
        if
        :: queued[from * WAITERS + w] ->
            remove(from, w);
#ifndef NO_COUNT_MOVED
            count[to]++;
#endif
            queued[to * WAITERS + w] = 1;
            where[w] = to
        :: else
        fi;
        w++
    :: else -> break
    od;
    UNLOCK(1);
    UNLOCK(0);
    moving--
}

init
{
    atomic {
        run waiter(0, 0);
        run waiter(1, 1);
        run mover(0, 1);
        run mover(1, 0)
    };
    (over && !here[0] && !here[1]);
    assert(counted == returned);
    assert(!queued[0] && !queued[1] && !queued[2] && !queued[3])
}
