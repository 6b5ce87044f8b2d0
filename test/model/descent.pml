// SPDX-License-Identifier: BSD-2-Clause
// Descents through page tables without locks: barriers (C) and (D) of mm/vm_table.c. One hart looks
// for a table twice, the other unlinks it, drains and frees. Stores reach memory late and in any
// order, except across a fence.
// breaks: NO_FENCE_C NO_FENCE_D NO_DRAIN NO_PIN

bit link = 1, freed = 0, late_link = 0, late_count = 0;
byte count = 0, to_count;
byte refs = 1;
bit locked = 1; // by the unlinker at first

active proctype memory()
{
end:
    do
    :: atomic { late_link -> link = 0; late_link = 0 }
    :: atomic { late_count -> count = to_count; late_count = 0 }
    od
}

#define PUT refs--; if :: refs == 0 -> freed = 1 :: else fi

active proctype unlinker()
{
    byte before;
    late_link = 1;
#ifndef NO_FENCE_D
    (!late_link);
#endif
#ifndef NO_DRAIN
    before = count;
    if
    :: before % 2 == 1 -> (count != before)
    :: else
    fi;
#endif
    locked = 0;
    atomic { PUT };
    (!late_link)
}

active proctype walker()
{
    byte turns = 0;
    bit found;
    do
    :: turns < 2 ->
        turns++;
        (!late_count);
        to_count = count + 1;
        late_count = 1;
#ifndef NO_FENCE_C
        (!late_count);
#endif
        found = link;
        if
        :: found ->
            assert(!freed); // tries the lock, in struct page
            if
            :: atomic { !locked -> locked = 1 };
               (!late_count); to_count = to_count + 1; late_count = 1; // release
               assert(!freed);
               locked = 0 // stray: retry
            :: locked ->
#ifndef NO_PIN
                refs++;
#endif
               (!late_count); to_count = to_count + 1; late_count = 1;
               atomic { !locked -> locked = 1 };
               assert(!freed);
               locked = 0;
#ifndef NO_PIN
               atomic { PUT }
#endif
            fi
        :: else -> (!late_count); to_count = to_count + 1; late_count = 1
        fi
    :: turns == 2 -> break
    od
}
