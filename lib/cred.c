// SPDX-License-Identifier: BSD-2-Clause
// Questions about credentials.

#include <lib/cred.h>

bool cred_in_group(const struct cred *c, gid_t gid)
{
    if (c->fsgid == gid)
        return true;
    for (unsigned int i = 0; i < c->nr_groups; i++)
        if (c->groups[i] == gid)
            return true;
    return false;
}

bool cred_has_cap(const struct cred *c, unsigned int cap)
{
    return cap < 64 && (c->cap_effective & BIT(cap));
}
