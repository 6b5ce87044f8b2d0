// SPDX-License-Identifier: BSD-2-Clause
// Switch-in against invalidate: barriers (A) and (B) of arch/riscv/tlb.c. A flusher unmaps a page and
// returns from mmu_context_flush(); a hart with ASIDs comes into the space and leaves it, its TLB
// keeps what it has. Stores reach memory late and in any order, except across a fence; the count is released, so that whoever sees it sees the PTE.
// Broken variants, each of which must fail:
// breaks: NO_FENCE_A NO_FENCE_B NO_RELEASE NO_COUNT NO_CATCH_UP EARLY_READ

bit pte = 1, running = 0, returned = 0;
byte gen = 1;

// Stores on their way.
bit late_pte = 0, late_gen = 0, late_running = 0;
bit to_running;

bit tlb = 0; // the hart holds the translation
byte seen = 0;

active proctype memory()
{
end:
    do
    :: atomic { late_pte -> pte = 0; late_pte = 0 }
#ifdef NO_RELEASE
    :: atomic { late_gen -> gen++; late_gen = 0 }
#else
    :: atomic { late_gen && !late_pte -> gen++; late_gen = 0 }
#endif
    :: atomic { late_running -> running = to_running; late_running = 0 }
    od
}

active proctype flusher()
{
    bit others;
#ifdef EARLY_READ
    others = running;
#endif
    late_pte = 1;
#ifndef NO_COUNT
    late_gen = 1;
#endif
#ifndef NO_FENCE_A
    (!late_pte && !late_gen);
#endif
#ifndef EARLY_READ
    others = running;
#endif
    if
    :: others -> atomic { !late_running -> tlb = 0 } // the remote fence orders that hart, too
    :: else
    fi;
    (!late_pte); // the call's end is a fence for whoever frees the page
    returned = 1
}

active proctype hart()
{
    byte now;
    byte turns = 0;
    do
    :: turns < 3 ->
        turns++;
        (!late_running);
        to_running = 1;
        late_running = 1;
#ifndef NO_FENCE_B
        (!late_running);
#endif
        now = gen;
#ifndef NO_CATCH_UP
        if
        :: now != seen -> tlb = 0; seen = now
        :: else
        fi;
#endif
        // In the space: accesses, each by the TLB or by a walk.
        do
        :: atomic { tlb -> assert(!returned) }
        :: atomic { !tlb && pte -> tlb = 1 }
        :: break
        od;
        // Release: the hart's uses come before.
        (!late_running);
        to_running = 0;
        late_running = 1
    :: turns == 3 -> break
    od
}
