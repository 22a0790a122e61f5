# Run a command on a virtual screen of its own with a window manager; the status is the command's.
#
# Xvfb chooses the display's number itself: all roots share the machine's network, and with it the
# abstract sockets of X, so a fixed number would collide with any other X server.
pipe="$XDG_RUNTIME_DIR/display.$$"
mkfifo "$pipe"
Xvfb -displayfd 9 -screen 0 "${SCREEN:-1600x1000x24}" -nolisten tcp -noreset \
    9> "$pipe" > "$XDG_RUNTIME_DIR/xvfb.log" 2>&1 &
screen=$!
read -r number < "$pipe" || { cat "$XDG_RUNTIME_DIR/xvfb.log" >&2; exit 97; }
rm "$pipe"
export DISPLAY=":$number"
openbox --config-file "${0%/*}/openbox.xml" > "$XDG_RUNTIME_DIR/openbox.log" 2>&1 &
"$@"
status=$?
kill "$screen"
wait 2> /dev/null
exit $status
