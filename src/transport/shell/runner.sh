# Runs one command, in a session of its own, with the record as its working directory: wherever that is moved, it goes.
# DIRECTORY BLOCKS SECONDS MARKER ; no SECONDS is no limit.
sb_runner() {
umask 077
cd -P . || exit 0
case $(stat -c %a .) in 2770) umask 007;; esac
sb_self
sb_say "$sb_v" >./runner
mkdir ./begun || exit 0
sb_keep out "$2" &
sb_keep err "$2" &
sb_child "$1" "$4" </dev/null >./out.pipe 2>./err.pipe &
sb_c=$!
if sb_started $sb_c; then sb_say "$sb_c $sb_m $sb_a $sb_g $sb_h" >./child; fi
case $3 in ?*)
sb_watch "$3" $sb_c "$sb_m" &
sb_w=$!;;
esac
wait $sb_c
sb_x="exit $?"
: >./ended
if [ -e ./late ]; then
wait $sb_w
sb_x=late
sb_survivors "SWITCHBACK_HOOK=$4"
fi
sb_drained
rm -f ./out.pipe ./err.pipe ./out.done ./err.done
sb_say "$sb_x" >./result.new && sync -- ./result.new
mv -f ./result.new ./result && sync -- .
}
# NAME BLOCKS: keeps so much of a stream, and takes the rest too, so that whoever prints never waits and never dies of it.
sb_keep() {
{
(trap '' XFSZ; ulimit -c 0; ulimit -S -f "$2"; exec cat >>./"$1")
cat >/dev/null
} <./"$1".pipe
: >./"$1".done
}
# DIRECTORY MARKER: the environment comes last, since it may say anything.
sb_child() {
set -- "$1" "$2" "$(command -v setsid)" "$(command -v sh)" "$PWD/command"
sb_restore
cd -- "$1" || exit 126
sb_environment
SWITCHBACK_HOOK=$2
export SWITCHBACK_HOOK
exec "$3" "$4" "$5"
}
# SECONDS PROCESS START: ends the whole group, if it is still that one.
sb_watch() {
sb_n=0
while [ $sb_n -lt "$1" ]; do
sleep 1
# The record may have been removed by now: then the command itself tells that it is over.
if [ -e ./ended ] || ! kill -0 "$2" 2>/dev/null; then return; fi
sb_n=$((sb_n + 1))
done
sb_started "$2"
[ "$?$sb_m" = "0$3" ] || return
: >./late
sb_end_group "$2"
}
# MARKER: adds the processes that bear it to what is told.
sb_survivors() {
set +f
for sb_p in /proc/[0-9]*; do
case $(cat -v "$sb_p/environ") in
*"$1"*) sb_p=${sb_p#/proc/}; if sb_started "$sb_p"; then sb_x="$sb_x $sb_p"; fi;;
esac
done
set -f
}
# A process that was left in the background may keep a stream open as long as it likes.
sb_drained() {
sb_n=0 sb_coarse=
while [ $sb_n -lt 25 ] && ! { [ -e ./out.done ] && [ -e ./err.done ]; }; do
if [ "$sb_coarse" ]; then return; fi
sb_nap 0.04
sb_n=$((sb_n + 1))
done
}
