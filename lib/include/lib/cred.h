// SPDX-License-Identifier: BSD-2-Clause
// Credentials as plain data, so that fs and ipc can judge permissions without knowing "current".
// A cred is immutable once published; a change makes a new one (credentials(7)).
#pragma once

#include <lib/refcount.h>

#define CRED_GROUPS_MAX 32 // setgroups(2) beyond this: EINVAL, as Linux beyond its own limit

struct cred {
    struct refcount refs;
    uid_t uid, euid, suid, fsuid;
    gid_t gid, egid, sgid, fsgid;
    uint64_t cap_effective, cap_permitted, cap_inheritable; // capabilities(7) bit masks
    bool keep_caps; // PR_SET_KEEPCAPS: permitted ones outlive the last uid of 0
    unsigned int nr_groups;
    gid_t groups[CRED_GROUPS_MAX];
};

// True if `gid` is the file-system group or a supplementary group of `c`.
bool cred_in_group(const struct cred *c, gid_t gid);
// `cap` is a CAP_* number of <linux/capability.h>.
bool cred_has_cap(const struct cred *c, unsigned int cap);
