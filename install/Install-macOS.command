#!/bin/sh
# What a double-click on a Mac runs, in a terminal window: install.sh, then a last word.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
script=$here/install.sh
[ -f "$script" ] || script=$here/install/install.sh
sh "$script" "$@"
code=$?
[ $code -eq 0 ] || echo "Dreamlayer is not installed, for the reason above."
echo "You can close this window."
exit $code
