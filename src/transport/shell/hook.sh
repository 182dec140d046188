# Starts a command and follows it, or follows one that was started before. What a record holds:
#   starter  the process that claimed it        runner  the one that runs the command, written before begun
#   begun    a directory: whoever makes it decides, the runner that the command runs, a follower that it never will
#   command  the script                         out, err  what it printed        result  how it ended
#   child    the process that leads the command's group
# Which printf this is: one of its own process would show in the process list what it prints.
case ${KSH_VERSION:+ksh}:$(command -v print) in ksh:print) sb_printf=print;; *) sb_printf=$(command -v printf);; esac
case $sb_printf in */*) sb_lacks="$sb_lacks =builtin-printf";; esac
sb_pour() { for sb_e; do sb_put "$sb_e" || return; done; }
# RECORD DIRECTORY LIMIT [end]: with `end` it starts nothing, and ends what runs.
sb_hook() {
sb_i=0 sb_ours=
sb_into "$1" || return
if ! sb_there "$1"; then
case ${4-} in end) sb_no missing "$1: No such file or directory"; return 1;; esac
sb_claim "$1" "$2" || return
fi
if [ -z "$sb_ours" ]; then
if [ -h "$1" ] || ! [ -d "$1" ]; then sb_no wrong-type "$1: Not a directory"; return 1; fi
cd -P -- "$1" 2>/dev/null || { sb_no denied "$1: Permission denied"; return 1; }
fi
case ${4-} in end) sb_cease 2>/dev/null;; esac
sb_follow "$3"
}
# Ends the command, if it still runs. A daemon that one which is over has left is none of it.
sb_cease() {
if [ -e ./ended ] || [ -e ./result ]; then return; fi
sb_liveness ./child
case $sb_k in alive) sb_tell beat; sb_end_group "$sb_p";; esac
}
# RECORD DIRECTORY: 0 when there is a record now; $sb_ours when we made it, and are in it.
sb_claim() {
(cd -- "$2") 2>/dev/null || { sb_shut "$2"; return 1; }
# In a directory that is a group's alone, so is the record.
case $(stat -c %a -- "${1%/*}" 2>/dev/null) in 2770) sb_e=2770;; *) sb_e=700;; esac
sb_m=$(mkdir -m $sb_e -- "$1" 2>&1) || {
sb_alive $? "$sb_m"
if [ -d "$1" ] && ! [ -h "$1" ]; then return 0; fi
sb_no - "$sb_m"
return 1
}
sb_home=$PWD
cd -P -- "$1" || exit 1
if sb_m=$(sb_prepare 2>&1); then
sb_ours=y
sb_start
return 0
fi
# Nothing was started yet, and nobody else may start it.
rm -f ./starter ./command ./out ./err ./out.pipe ./err.pipe
cd -P -- "$sb_home" && rmdir -- "$1"
sb_no - "$sb_m"
return 1
}
sb_prepare() {
case $sb_e in 2770) chmod g+s .; umask 007;; *) umask 077;; esac
sb_self
sb_say "$sb_v" >./starter && sb_script >./command && : >./out && : >./err && mkfifo ./out.pipe ./err.pipe
}
# The runner takes its program from a pipe: what is secret in it is in no file and in no list of arguments. A program
# that was cut does nothing. It hears of nobody's end but its own, and holds no file of those that started it.
sb_start() {
sb_program 2>/dev/null | (sb_restore; exec setsid sh -s) >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
}
# LIMIT: tells all that comes, and the end.
sb_follow() {
sb_limit=$1 sb_po=0 sb_pe=0 sb_n=0 sb_late=0 sb_told=
while :; do
sb_done=
if [ -f ./result ]; then sb_done=y; fi
if [ -z "$sb_told" ] && [ -d ./begun ]; then sb_tell begun; sb_told=y; fi
sb_new=
set -- $(stat -c %s ./out ./err 2>/dev/null)
sb_more out "${1:-0}" $sb_po; sb_po=$sb_pos
sb_more err "${2:-0}" $sb_pe; sb_pe=$sb_pos
if [ "$sb_done" ]; then
IFS= read -r sb_v <./result
sb_t= sb_x=
sb_tok "$sb_v"
sb_tell "result$sb_t${sb_x:+$sb_nl${sb_x%"$sb_nl"}}"
return 0
fi
if [ "$sb_new" ]; then sb_n=0; else
if sb_lost; then sb_tell lost; return 0; fi
sb_wait
fi
done
}
# Nobody listens any more: then there is nobody to tell.
sb_tell() { sb_say "$sb_frame$1" 2>/dev/null || exit 0; }
# NAME SIZE POSITION: tells what has come since; the position after it in $sb_pos.
sb_more() {
sb_pos=$3
sb_to=$2
[ ${#sb_to} -lt ${#sb_limit} ] || { [ ${#sb_to} -eq ${#sb_limit} ] && [ "$sb_to" -le "$sb_limit" ]; } || sb_to=$sb_limit
while [ "$sb_pos" -lt "$sb_to" ]; do
sb_new=y
sb_c=$((sb_to - sb_pos))
if [ $sb_c -gt 65536 ]; then sb_c=65536; fi
sb_tell "$1 #h$sb_c"
od -An -v -tx1 -j $sb_pos -N $sb_c ./"$1" 2>/dev/null || exit 0
sb_pos=$((sb_pos + sb_c))
done
}
# Whether it is certain that there will be no result.
sb_lost() {
if ! [ -d ./begun ]; then
sb_liveness ./starter
# It was frozen, or never got as far as to say who it is.
if [ $sb_k = gone ] || [ $sb_late -gt 200 ]; then mkdir ./begun 2>/dev/null; fi
sb_late=$((sb_late + 1))
return 1
fi
[ -e ./runner ] || return 0
sb_liveness ./runner
[ $sb_k = gone ] && ! [ -e ./result ]
}
sb_wait() {
sb_n=$((sb_n + 1))
case $sb_n in
[1-9]) sb_nap 0.02;;
[1-3][0-9]) sb_nap 0.1;;
*0) sb_tell beat; sb_nap 0.2;;
*) sb_nap 0.2;;
esac
}
