# SPDX-License-Identifier: BSD-2-Clause
"""The scripted session: what is typed at busybox's prompt, and what may differ between two kernels.

A step is a line to type (the answer up to the next prompt counts, echo included) or, with keys, a list
of pieces to type, each with the pattern to wait for before the next. The bytes must be those of Linux;
`but` names the few fields that may differ, each explained in BUT.
"""

from dataclasses import dataclass

from harness import screen

# name: (pattern or function, replacement, why it may differ)
BUT = {
    "pid": (r"\b\d+\b", "PID", "process ids count from different kernel threads"),
    "seconds": (r"\d+m \d+\.\d+s", "TIME", "how long a command took"),
    "number": (r"\d+", "N", "amounts that depend on the machine's memory and load; format counts"),
    "spaces": (r" +", " ", "columns are as wide as their numbers"),
    "percent": (r"[ \d]\d%", "N%", "load"),
    "mount-size": (r",(size=\d+k|nr_inodes=\d+|inode64|mode=\d+)", "", "default size of a tmpfs, in words"),
    "root-kind": (r"rootfs / (rootfs|tmpfs)", "rootfs / ROOT", "how the kernel calls the initramfs's root"),
    "kernel-name": (r"(?m)^Linux .*$", "KERNEL", "the kernel names itself"),
    "timezone-clock": (r"\d\d:\d\d:\d\d", "CLOCK", "now"),
    "directory-size": (r"(?m)^(d\S+ +\d+ \S+ +\S+ +)\d+", r"\1SIZE", "no program asks how large a directory is"),
    "screen": (screen.last, "", "vi draws at once what was typed at once; the last full screen counts"),
    "process-list": (r"(?s)(COMMAND\x1b\[m\r\n).*(?=\r\x1b|\[\d+\]# )", r"\1", "each kernel has its own threads"),
}


@dataclass
class Step:
    line: str = ""
    but: tuple = ()
    keys: tuple = ()
    seconds: int = 30
    size: tuple = ()


def line(text, *but, seconds=30):
    return Step(text, but, seconds=seconds)


def keys(name, *pieces, but=()):
    return Step(name, but, keys=pieces)


ESC, LEFT, UP, TAB = "\x1b", "\x1b[D", "\x1b[A", "\t"
CTRL = {letter: chr(ord(letter) - 64) for letter in "ABCDEHKLRUVWXZ\\"}
PROMPT = r"\[\d+\]# (?:\x1b\[6n)?$"
MORE = r"> (?:\x1b\[6n)?$"

BASICS = [
    line("echo hello, world"),
    line("false"),
    line("true; echo $?"),
    line("uname -m"),
    line("uname -s -n"),
    line("uname -a", "kernel-name"),
    line("id"),
    line("id user; whoami; groups"),
    line("pwd; cd /; pwd; cd -"),
    line("tty"),
    line("hostname; hostname vireo-test; hostname; hostname '(none)'"),
    line("env | grep -v ^OLDPWD | sort"),
    line("umask; umask 077; umask -S; umask 022"),
    line("ulimit -n; ulimit -c; ulimit -s; ulimit -v"),
    line("date -u -d @1700000000"),
    line("date -u -d '2024-02-29 12:00:00' +%s"),
    line("date -u", "timezone-clock", "number", "spaces"),
    line("expr 6 \\* 7; echo $((0x7f << 3))"),
    line("nosuchcommand"),
    line("/etc/passwd"),
    line("/tmp"),
]

FILES = [
    line("mkdir -p /tmp/d/e/f; cd /tmp/d; echo one > a; echo two > b; cat a b"),
    line("touch -d '2023-04-05 06:07:08' a b e/f e; ls -l", "directory-size"),
    line("ls -la --full-time a"),
    line("ls nothere"),
    line("stat -c '%n %s %A %u:%g %h %F %Y %b' a e/f"),
    line("stat -f -c '%T %S %l' ."),
    line("chmod 640 a; stat -c %a a; chmod u+x,g-r,o+w a; stat -c %A a"),
    line("chmod 4755 b; chmod g+s b; ls -l b; chmod 1777 e; ls -ld e", "directory-size"),
    line("chown 12:34 a; stat -c %u:%g a; chown user:user a; ls -l a; chown 0:0 a"),
    line("ln a hard; ln -s ../d/a soft; ln -s nowhere broken; stat -c '%h %F' a soft"),
    line("readlink soft; readlink broken; readlink -f soft; cat soft; cat broken"),
    line("ln -s loop loop; cat loop; rm loop"),
    line("mv a moved; mv moved a; mv -n a b; cp -a a copy; cmp a copy; cp -r e g; ls g"),
    line("rm nothere; rm e; rmdir e; rmdir e/f; ls e; rm -r g"),
    line("mkdir a; mkdir e; touch nothere/x; ls a/b"),
    line("echo x > /; cat /; echo y > nothere/y"),
    line("find . | sort"),
    line("find /tmp/d -type l -o -name 'b*' | sort; find . -newer b -type f | sort; find . -size +100"),
    line("find . -type f -exec cat {} + | wc; find . -name a -exec stat -c %s {} \\;"),
    line("ls -1 | xargs -n 2 echo; ls | xargs rm -rf; ls -A"),
    line("printf 'b 2\\na 10\\nc 1\\n' > t; sort t; sort -k2n t; sort -r t | head -1; tail -n 1 t"),
    line("awk '{ s += $2; print NR \": \" $1 } END { print s, NR / 7 }' t"),
    line("sed -n 's/\\([a-z]\\) \\(.*\\)/\\2=\\1/p; $=' t; sed -i 's/a/A/' t; cat t"),
    line("mkdir -p r/s; cp t r/s/u; grep -r A . | sort; grep -c . t; grep -v b t; grep q t"),
    line("tr a-z A-Z < t | cut -d' ' -f1 | tr -d '\\n'; echo; wc -l -w -c t; head -c 5 t | od -c"),
    line("hexdump -C t; od -An -tx1 t; od -t d4 t"),
    line("seq 1 5 | paste - t 2>/dev/null; seq 1 20 | tail -n 3; seq 1 2 9 | tac; rev t; nl t; fold -w 2 t"),
    line("yes vireo | head -n 3; seq 100 | md5sum; seq 100 | sha256sum; seq 100 | cksum"),
    line("cmp t r/s/u; echo z >> t; cmp t r/s/u; diff t r/s/u"),
    line("dd if=t of=u bs=3 count=2 skip=1 2>/dev/null; cat u; echo; dd if=/dev/zero bs=1k count=3 | wc -c",
         "number"),
    line("dd if=/dev/zero of=hole bs=1 count=1 seek=1048575 2>/dev/null; ls -l hole | cut -c1-40; du -k hole"),
    line("truncate -s 5 t; cat t; echo; truncate -s 8 t; od -c t; : > t; wc -c t"),
    line("dd if=/dev/zero of=f10k bs=1000 count=10 2>/dev/null; du -k f10k; rm f10k hole"),
    line("mktemp -p /tmp tmp.XXXXXX | cut -c1-9; mktemp -d -p /tmp tmp.XXXXXX | cut -c1-9; rm -rf /tmp/tmp.*"),
    line("touch -d @9 r/s/u; test -d r && test ! -f r && [ -s u ] && [ u -nt r/s/u ] || echo no; [ -L u ]; echo $?; [ 1 -lt 2 ]"),
    line("mkfifo pipe; ls -l pipe | cut -c1-10; (echo through > pipe &); cat pipe"),
    line("tar cf - r | tar tvf - | awk '{print $1, $2, $3, $NF}'"),
    line("tar czf r.tgz r; mkdir x; tar xzf r.tgz -C x; cmp r/s/u x/r/s/u && echo same; tar tzf r.tgz"),
    line("seq 1 10000 > n; gzip -k n; gunzip -c n.gz | cmp - n && echo same; gzip -t n.gz; rm n; gunzip n.gz; wc n"),
    line("tar cf - r n | gzip | zcat | tar xOf - n | md5sum; bzip2 n; bunzip2 n.bz2; tail -c 6 n"),
    line("find r | cpio -o -H newc > c.cpio; rm -r r; cpio -i -d < c.cpio; find r | sort"),
    line("unzip -l nothere.zip; uuencode n < u | head -n 2; echo aGVsbG8= | base64 -d; echo"),
    line("cd /; rm -r /tmp/d; ls -A /tmp"),
]

SHELL = [
    line("for i in 1 2 3; do echo -n $i; done; echo; i=0; while [ $i -lt 3 ]; do i=$((i + 1)); done; echo $i"),
    line("f() { echo \"$# $2\"; return 3; }; f a b c; echo $?; case vireo in v*) echo match;; esac"),
    line("x=kernel.image.gz; echo ${x%.gz} ${x#*.} ${#x} ${y:-unset} ${x/image/elf}"),
    line("(exit 5); echo $?; sh -c 'exit 300'; echo $?; sh -c 'kill -9 $$'; echo $?; ! true; echo $?"),
    line("echo out; echo err >&2; ls nothere 2>&1 | wc -l; { echo a; echo b; } | sort -r"),
    line("exec 3> /tmp/three; echo three >&3; exec 3>&-; cat /tmp/three; cat < /tmp/three 3<&0; rm /tmp/three"),
    line("echo clobber > /tmp/c; set -C; echo again > /tmp/c; set +C; echo again >> /tmp/c; cat /tmp/c"),
    keys("here-document", ("cat <<END | tr a-z A-Z\n", MORE), ("first $((1 + 1))\n", MORE),
         ("second\n", MORE), ("END\n", PROMPT)),
    line("trap 'echo trapped' USR1; kill -USR1 $$; trap - USR1; trap 'echo bye' EXIT; trap; trap - EXIT"),
    line("(trap 'echo term; exit 3' TERM; sleep 1 & kill -TERM $(sh -c 'echo $PPID'); wait); echo $?"),
    line("sleep 1 & wait $!; echo $?", "pid"),
    line("sh -c 'sleep 60 & kill $!; wait $!; echo $?'; sh -c 'sh -c \"exit 4\" & wait $!; echo $?'"),
    line("timeout 1 sleep 30; echo $?; timeout -s KILL 1 sleep 30; echo $?; timeout 5 true; echo $?"),
    line("nohup sh -c 'echo hup; kill -HUP $$; echo alive' 2>/dev/null | cat; rm -f nohup.out"),
    line("time true", "seconds"),
    line("time sh -c 'sleep 1; true'", "seconds"),
    line("ls /bin | wc -l; ls /bin | head -n 4; which awk; type cd; type ls"),
    line("echo $(echo $(echo nested)) `echo back`; echo \"a  b\" 'c $x'; echo *; echo /et[c]/pass??"),
    line("read a b < /etc/passwd; echo $a; echo 1 2 3 | { read x y; echo $y; }; IFS=: read u p n r < /etc/passwd; echo $u $n"),
    line("i=0; while [ $i -lt 1000 ]; do i=$((i + 1)); (exit 3); done; echo $i $?", seconds=180),
    line("i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i + 1)); done; echo $i", seconds=120),
    line("seq 1 100 | while read n; do echo $n | cat; done | wc -l", seconds=60),
    line("yes | head -n 20000 | sort | uniq -c | sed 's/^ *//'", seconds=120),
    line("echo a | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat"),
    line("yes | head -n 1; sh -c 'yes; echo $? >&2' | head -n 2"),
    line("cat /dev/zero | head -c 1000000 | wc -c; head -c 16 /dev/urandom | wc -c; echo x > /dev/full"),
    line("seq 20000 | head -c 65536 > /tmp/m; for i in $(seq 1024); do cat /tmp/m; done > /tmp/big; rm /tmp/m", seconds=180),
    line("stat -c %s /tmp/big; md5sum /tmp/big", seconds=120),
    line("dd if=/tmp/big bs=1M 2>/dev/null | sha1sum; rm /tmp/big", seconds=120),
    line("usleep 1000; sleep 0.1; echo slept"),
]

SYSTEM = [
    line("mount", "mount-size", "root-kind"),
    line("cat /proc/mounts", "mount-size", "root-kind"),
    line("mkdir -p /mnt; mount -t tmpfs -o size=1m none /mnt; df -k /mnt; grep /mnt /proc/mounts", "mount-size"),
    line("dd if=/dev/zero of=/mnt/f bs=64k count=32; ls -l /mnt/f | cut -c1-33", "number", "spaces"),
    line("cd /mnt; umount /mnt; cd /; umount /mnt && echo gone; umount /mnt; mount -t nosuchfs none /mnt"),
    line("mount -o remount,ro / 2>&1; touch /readonly; mount -o remount,rw /; touch /writable && rm /writable"),
    line("df /dev /tmp 2> /tmp/err | awk '{ print NF }'; cat /tmp/err; du -s /etc"),
    line("mkdir -p /jail/bin; cp /bin/busybox /jail/bin/; chroot /jail /bin/busybox ls -R /; rm -r /jail"),
    line("ps -o pid,user,args > /tmp/ps; grep -v -e '\\[' -e PID /tmp/ps", "pid", "spaces"),
    line("ps > /tmp/ps; head -n 1 /tmp/ps; grep -c '[s]h -i' /tmp/ps"),
    line("top -b -n 1 | head -n 4", "number", "spaces", "percent"),
    line("free | awk '{ print $1, NF }'; uptime | grep -c 'load average'; nproc"),
    line("cat /proc/cmdline; ls -ld /proc/self | cut -c1-10; ls /proc/self/fd"),
    line("cat /proc/self/comm; tr '\\0' ' ' < /proc/self/cmdline; echo; readlink /proc/self/exe; readlink /proc/self/cwd"),
    line("cut -d' ' -f2-3 /proc/self/stat; grep -E '^(Name|State|Uid|Gid|Threads)' /proc/self/status"),
    line("grep -c '^[0-9a-f]*-[0-9a-f]* [r-][w-][x-]p ' /proc/self/maps > /tmp/n; [ $(cat /tmp/n) -ge 4 ] && echo maps"),
    line("grep -oE 'r-xp.*busybox|\\[heap\\]|\\[stack\\]' /proc/self/maps | tr -s ' ' | cut -d' ' -f1,5 | sort -u"),
    line("head -n 2 /proc/meminfo; grep -c kB /proc/meminfo > /tmp/n; [ $(cat /tmp/n) -ge 5 ] && echo ok",
         "number", "spaces"),
    line("grep -c ^processor /proc/cpuinfo; grep -E '^(hart|isa|mmu)' /proc/cpuinfo | cut -d: -f1 | sort -u"),
    line("awk '{ print NF, ($1 > 0) }' /proc/uptime; awk '{ print NF }' /proc/loadavg; head -n 1 /proc/stat | awk '{ print NF }'"),
    line("cut -d' ' -f1 /proc/version | wc -w; grep -E '\\s(tmpfs|proc|sysfs|devtmpfs)$' /proc/filesystems | sort"),
    line("ls /proc/1/ | grep -E '^(cmdline|comm|cwd|environ|exe|fd|maps|mounts|root|stat|statm|status)$'"),
    line("cat /proc/999999/stat; ls /proc/self/fd/99; echo x > /proc/version"),
    line("stat -c '%A %t:%T %F %n' /dev/console /dev/full /dev/kmsg /dev/null /dev/random /dev/tty /dev/ttyS0 "
         "/dev/urandom /dev/zero"),
    line("mknod /tmp/null c 1 3; echo gone > /tmp/null; cat /tmp/null; mknod /tmp/odd c 250 250; cat /tmp/odd; rm /tmp/null /tmp/odd"),
    line("dmesg | wc -l | grep -qv '^[0-9]$' && echo lines; dmesg | head -n 1 | cut -c1-4; echo '<6>from user' > /dev/kmsg; dmesg | tail -n 1 | cut -d']' -f2"),
    line("kill -0 1 && echo there; kill -0 99999; kill -l 15; kill 1; kill -HUP 1"),
    line("sh -c 'setsid sh -c \"ps -o pid,sid,args\" > /tmp/ps; grep -c setsid /tmp/ps'; sync; cat /proc/sys/kernel/hostname; "
         "echo by-proc > /proc/sys/kernel/hostname; hostname; hostname '(none)'"),
    line("chrt -f 10 chrt -p $$ 2>&1 | wc -l; taskset 1 sh -c 'taskset -p $$' | sed 's/.*: //'; renice 3 $$; nice; renice 0 $$"),
    line("stty -a | head -n 1; stty -echo; stty echo; stty size; stty rows 30; stty size; stty rows 24"),
    line("su user -c 'id; touch /root/no; cat /etc/passwd | wc -l; echo mine > /tmp/mine; kill -0 1'; ls -l /tmp/mine | cut -c1-28; rm /tmp/mine"),
    line("rdate 2>&1 | head -n 1; nosuch | cat; echo $?"),
]

# A key comes when the program says that it has the terminal: nothing here waits for a while instead.
READY = 'sh -c "echo ready; exec sleep {}"\n'
# Says so once more when it is continued.
CONTINUED = "sh -c 'trap \"echo on; trap - CONT\" CONT; sleep 5 & echo ready; wait; wait'\n"
# Until the job last started has been stopped.
STOPPED = r"while ! grep -q 'T (stopped)' /proc/$!/status; do :; done"
# Says that somebody switched the echo off; it may read the terminal's state from the background. It stays: its
# end would interrupt read, which has the echo on for a moment then.
SILENT = '(while stty -a < /dev/tty | grep -q "[^-]echo "; do :; done; echo ready; exec sleep 100) &'

KEYS = [
    keys("line editing: left, insert, home, end", ("ech hello" + LEFT * 6 + "o" + CTRL["A"] + CTRL["E"] + " you\n", PROMPT)),
    keys("line editing: erase, kill word, kill line",
         ("echo onf\x7fe two" + CTRL["W"] + "three" + CTRL["A"] + CTRL["K"] + "echo new" + CTRL["U"] + "echo newer\n", r"\nnewer\r\n" + PROMPT)),
    keys("history", (UP, "newer"), ("\n", PROMPT)),
    keys("tab completion", ("cat /etc/pass" + TAB, "wd"), ("| head -n 1\n", PROMPT)),
    keys("Ctrl-C at the prompt", ("half a line", "line"), (CTRL["C"], PROMPT)),
    keys("Ctrl-C ends sleep", (READY.format(100), r"ready\r\n"), (CTRL["C"], PROMPT)),
    keys("Ctrl-\\ ends sleep", (READY.format(100), r"ready\r\n"), (CTRL["\\"], PROMPT)),
    # Its last program is the last to start.
    keys("Ctrl-C ends a pipeline", ('yes | sh -c "echo ready; exec cat > /dev/null"\n', r"ready\r\n"), (CTRL["C"], PROMPT)),
    keys("Ctrl-C ends a loop", (f"while :; do {READY.format(100).strip()}; done\n", r"ready\r\n"), (CTRL["C"], PROMPT)),
    keys("Ctrl-Z stops a job", (CONTINUED, r"ready\r\n"), (CTRL["Z"], PROMPT)),
    line("jobs"),
    keys("fg, Ctrl-Z again", ("fg\n", r"\non\r\n"), (CTRL["Z"], PROMPT)),
    line("bg; jobs"),
    keys("fg waits for the end", ("fg\n", PROMPT)),
    keys("background read stops", (f"cat & {STOPPED}\n", PROMPT), ("jobs\n", PROMPT),
         ("kill %1\n", PROMPT), ("fg\n", PROMPT), ("\n", PROMPT), but=("pid",)),
    keys("background write with tostop", ("stty tostop\n", PROMPT), (f"echo loud & {STOPPED}\n", PROMPT),
         ("stty -tostop; fg\n", PROMPT), but=("pid",)),
    keys("cooked line: erase, word, kill, literal",
         ("echo ready; cat\n", r"ready\r\n"), ("abx\x7fc\n", r"abc\r\n"), ("one two" + CTRL["W"] + "2\n", r"one 2\r\n"),
         ("gone" + CTRL["U"] + "kept\n", r"kept\r\nkept\r\n"), (CTRL["V"] + CTRL["A"] + "\t.\n", r"\.\r\n.*\.\r\n"),
         ("no newline" + CTRL["D"], "newlineno newline"), (CTRL["D"], PROMPT)),
    keys("wc reads the terminal", ("echo ready; wc\n", r"ready\r\n"), ("a b\n", "b"), ("c\n", "c"), (CTRL["D"], PROMPT)),
    keys("read -n and -s", ("echo ready; read -n 2 x; echo; echo got $x\n", r"ready\r\n"), ("qz", PROMPT),
         (f"sh -c '{SILENT} read -s y; echo got $y; kill $!'\n", r"ready\r\n"), ("secret\n", PROMPT)),
    keys("read -t runs out", ("read -t 1 x; echo $?\n", PROMPT)),
    # What vi says of its mode tells that it took Escape for a key of its own.
    keys("vi writes a file", ("vi /tmp/v\n", r"- /tmp/v"), ("ifirst line\nsecond", r"d\x1b\[2;7H"), (ESC, r"- /tmp/v"),
         (CTRL["L"], r"second"), ("yyp0xx" + CTRL["L"], r"cond"), (":wq\n", PROMPT), but=("screen",)),
    line("cat /tmp/v"),
    keys("vi searches, substitutes, leaves without writing", ("vi /tmp/v\n", r"- /tmp/v"), ("/sec\n", None),
         (":s/sec/SEC/\n", None), (CTRL["L"], "SECond"), (":q!\n", PROMPT), but=("screen",)),
    # less ends its echo before it writes its prompt, not before the page.
    keys("less pages", ("seq 1 100 | less\n", r"standard input\x1b\[m"), (" ", "46"), ("q", PROMPT)),
    keys("more pages", ("seq 1 30 > /tmp/s; more /tmp/s\n", r"More"), (" ", PROMPT)),
    keys("a shell in the shell, Ctrl-D leaves it", ("sh\n", PROMPT), ("echo $((6 * 7))\n", PROMPT), (CTRL["D"], PROMPT)),
    keys("Ctrl-D ends the login shell, init starts another", (CTRL["D"], PROMPT), ("stty rows 24 cols 80\n", PROMPT)),
    keys("top draws and q ends it", ("top -d 1\n", r"COMMAND"), ("q", PROMPT),
         but=("process-list", "number", "spaces", "percent")),
]

STEPS = BASICS + FILES + SHELL + SYSTEM + KEYS
