#!/bin/sh
# Installs Dreamlayer for this user, with a Python of its own if the archive brought uv.
#
#     sh install.sh [--check | --uninstall | --dream PICTURE | …]
#
# Everything else is done by install.py; its options are given on.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
[ -f "$here/install.py" ] || here=$here/install
case $(uname -s) in
    Darwin) data="$HOME/Library/Application Support/Dreamlayer" ;;
    *) data="$HOME/.local/share/dreamlayer" ;;
esac
data=${DREAMLAYER_HOME:-$data}
version=${DREAMLAYER_PYTHON:-3.12}

# On a Mac without Apple's developer tools, /usr/bin/python3 only opens a window about them.
usable() {
    case $(command -v "$1") in
        '') return 1 ;;
        /usr/bin/python3) [ "$(uname -s)" != Darwin ] || xcode-select -p >/dev/null 2>&1 || return 1 ;;
    esac
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

# uv moves a Python to its place when it is complete.
find_own() {
    for python in "$data/dreamlayer-python/cpython-$version"*/bin/python3; do
        [ -x "$python" ] && return
    done
    python=
    return 1
}

own_python() {
    find_own && return
    [ -n "$uv" ] || return
    echo "Fetching Python $version for Dreamlayer"
    [ -d "$data" ] || mkdir -p -m 700 "$data" || return
    UV_PYTHON_INSTALL_DIR=$data/dreamlayer-python UV_NO_CACHE=1 UV_NO_CONFIG=1 \
        "$uv" python install --no-bin "$version" && find_own
}

python_here() {
    for python in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        usable "$python" && return
    done
    python=
    return 1
}

uv=$here/uv/uv
[ -f "$uv" ] || uv=$(command -v uv)
# What was downloaded on a Mac is not run before the user has agreed, as to this script.
[ "$(uname -s)" != Darwin ] || xattr -d com.apple.quarantine "$here/uv/uv" 2>/dev/null
case " $* " in
    *' --check '* | *' --uninstall '*) find_own || python_here ;; # nothing is fetched for that
    *) if [ -f "$here/uv/uv" ]; then own_python || python_here; else python_here || own_python; fi ;;
esac
if [ -z "$python" ]; then
    echo "Dreamlayer needs Python 3.10 or newer, which is not here and could not be fetched:" >&2
    echo "go online and run this again, or install Python from your system or python.org." >&2
    exit 1
fi
DREAMLAYER_STARTED_AS=$(basename -- "$0")
export DREAMLAYER_STARTED_AS
exec "$python" "$here/install.py" "$@"
