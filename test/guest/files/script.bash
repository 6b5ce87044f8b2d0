#!/usr/bin/bash
# Run by Debian's dynamic bash: what only bash can, and what needs the kernel.
set -euo pipefail
declare -A squares
for ((i = 1; i <= 20; i++)); do squares[$i]=$((i * i)); done
sum=0 maps=0
for key in "${!squares[@]}"; do ((sum += squares[$key])); done
echo "sum of squares: $sum"
mapfile -t lines < <(printf '%s\n' one two three)
echo "process substitution: ${#lines[@]} lines, last ${lines[-1]}"
coproc tr a-z A-Z
echo "coprocess speaks" >&"${COPROC[1]}"
eval "exec ${COPROC[1]}>&-"
read -r shout <&"${COPROC[0]}"
echo "$shout"
trap 'echo "trapped USR1"' USR1
kill -USR1 $$
(exit 7) || echo "subshell status $?"
[[ "kernel-42" =~ ([a-z]+)-([0-9]+) ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
for n in {1..50}; do : "$(echo "$n")"; done
echo "forked 50 times, last $n"
while read -r start _; do [[ $start == *-* ]] && ((++maps)); done < /proc/$$/maps
((maps >= 10)) && echo "maps has the libraries"
grep -c 'libc.so.6\|libtinfo.so.6\|ld-linux' /proc/$$/maps > /tmp/count && (($(< /tmp/count) >= 6)) && echo "mapped from files"
wait
echo "bash script: done"
