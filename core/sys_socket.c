// SPDX-License-Identifier: BSD-2-Clause
// socket(2), socketpair(2), recvfrom(2): sockets of the family AF_NETLINK, over which mq_notify(3)
// tells of messages. Other families are answered as on a Linux without them, and what such a socket
// can't do with EOPNOTSUPP. Nothing of sockets lives here: fs/netlink.h.
#include <arch/uaccess.h>
#include <errno.h>
#include <fs/netlink.h>
#include <linux/fcntl.h>
#include <linux/netlink.h>
#include <string.h>

#include "sys_path_priv.h"
#include "syscalls_priv.h"

// What the headers of the kernel leave to the C library.
#define FAMILY_MAX     46
#define FAMILY_NETLINK 16
#define TYPE_MASK      0xf
#define TYPE_DATAGRAM  2
#define TYPE_RAW       3
#define TYPE_MAX       11
#define RECV_OOB       0x01

// 0 or -errno of socket(2); *flags becomes what of `type` are flags.
static int check_kind(int family, int type, int protocol, int *flags)
{
    *flags = type & ~TYPE_MASK;
    type &= TYPE_MASK;
    if (*flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    if (family < 0 || family >= FAMILY_MAX)
        return -EAFNOSUPPORT;
    if (type >= TYPE_MAX)
        return -EINVAL;
    if (family != FAMILY_NETLINK)
        return -EAFNOSUPPORT;
    if (type != TYPE_RAW && type != TYPE_DATAGRAM)
        return -ESOCKTNOSUPPORT;
    return protocol == NETLINK_ROUTE ? 0 : -EPROTONOSUPPORT;
}

long sys_socket(int family, int type, int protocol)
{
    struct file *f;
    int flags, err = check_kind(family, type, protocol, &flags);
    if (err == 0)
        err = netlink_create(flags & O_NONBLOCK, thread_self()->cred, &f);
    return err != 0 ? err : sys_file_install(f, flags & O_CLOEXEC);
}

long sys_socketpair(int family, int type, int protocol, vaddr_t pair)
{
    int flags, err = check_kind(family, type, protocol, &flags);
    return err != 0 ? err : -EOPNOTSUPP;
}

static int borrow_socket(int fd, struct fd_ref *ref)
{
    int err = sys_file_borrow(fd, ref);
    if (err == 0 && !netlink_is(ref->file)) {
        fd_return(*ref);
        err = -ENOTSOCK;
    }
    return err;
}

static long unsupported(int fd)
{
    struct fd_ref ref;
    int err = borrow_socket(fd, &ref);
    if (err != 0)
        return err;
    fd_return(ref);
    return -EOPNOTSUPP;
}

#define UNSUPPORTED(call)                                                                          \
    long sys_##call(int fd)                                                                        \
    {                                                                                              \
        return unsupported(fd);                                                                    \
    }

UNSUPPORTED(bind)
UNSUPPORTED(listen)
UNSUPPORTED(accept)
UNSUPPORTED(accept4)
UNSUPPORTED(connect)
UNSUPPORTED(getsockname)
UNSUPPORTED(getpeername)
UNSUPPORTED(sendto)
UNSUPPORTED(setsockopt)
UNSUPPORTED(getsockopt)
UNSUPPORTED(shutdown)
UNSUPPORTED(sendmsg)
UNSUPPORTED(recvmsg)
UNSUPPORTED(sendmmsg)
UNSUPPORTED(recvmmsg)

// The sender is the kernel: port 0.
static int write_sender(vaddr_t address, vaddr_t user_size)
{
    const struct sockaddr_nl sender = {.nl_family = FAMILY_NETLINK};
    int room, size = sizeof(sender);
    if (user_copy_in(&room, user_size, sizeof(room)) != 0)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    if (user_copy_out(address, &sender, (size_t)MIN(room, size)) != 0)
        return -EFAULT;
    return user_copy_out(user_size, &size, sizeof(size));
}

long sys_recvfrom(int fd, vaddr_t buffer, size_t size, unsigned int flags, vaddr_t address,
                  vaddr_t address_size)
{
    struct uio_segment segment = {buffer, MIN(size, (size_t)INT_MAX & PAGE_MASK)};
    struct fd_ref ref;
    struct uio uio;
    if (segment.size > USER_END || buffer > USER_END - segment.size)
        return -EFAULT;
    int err = borrow_socket(fd, &ref);
    if (err != 0)
        return err;
    uio_init_user(&uio, &segment, 1);
    ssize_t n = flags & RECV_OOB ? -EOPNOTSUPP : netlink_receive(ref.file, &uio, flags);
    fd_return(ref);
    if (n >= 0 && address != 0)
        err = write_sender(address, address_size);
    return n == -EINTR ? -ERESTARTSYS : err != 0 ? err : n;
}
