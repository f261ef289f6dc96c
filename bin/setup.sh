# Sourced by the programs in this folder: finds a Python, makes .venv when it is missing or out of date.
# Everything it writes is inside .venv, which may be deleted at any time.

refuse() {
    echo "$program: $1" >&2
    exit 2
}

# The first Python that is new enough and can make virtual environments.
find_python() {
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

digest_of() {
    "$1" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest(), "%d.%d" % sys.version_info[:2])' "$2"
}

# is_current NAME: whether .venv holds what requirements/NAME.txt lists now.
is_current() {
    [ -x .venv/bin/python ] && [ -f ".venv/installed-$1" ] &&
        [ "$(digest_of .venv/bin/python "requirements/$1.txt" 2>/dev/null)" = "$(cat ".venv/installed-$1")" ]
}

# One installs, the others wait: a folder can be made by one process only. A dead owner's lock is taken over.
lock_environment() {
    mkdir -p .venv 2>/dev/null || refuse "cannot write $root/.venv: is the folder read-only or the disk full?"
    [ -w .venv ] || refuse "cannot write $root/.venv: it belongs to someone else or is read-only"
    waited=0
    until mkdir .venv/installing 2>/dev/null; do
        owner=$(cat .venv/installing/owner 2>/dev/null || true)
        if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
            rm -rf .venv/installing
            continue
        fi
        waited=$((waited + 1))
        [ "$waited" -le 1800 ] || refuse "waited half an hour for $root/.venv/installing: delete it if nothing installs"
        sleep 1
    done
    echo $$ >.venv/installing/owner
    trap 'rm -rf .venv/installing' EXIT
    trap 'exit 130' INT TERM HUP
}

unlock_environment() {
    rm -rf .venv/installing
    trap - EXIT INT TERM HUP
}

make_environment() {
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        rm -rf .venv/bin .venv/lib .venv/lib64 .venv/include .venv/pyvenv.cfg
        "$found" -m venv .venv >.venv/install.log 2>&1 || refuse "$found cannot make a virtual environment: $(tail -n 1 .venv/install.log)"
    fi
    rm -f .venv/installed-*
    .venv/bin/python -m pip install --disable-pip-version-check --no-input --require-hashes -r "requirements/$1.txt" \
        >>.venv/install.log 2>&1 || refuse "installing requirements/$1.txt failed (see .venv/install.log): $(tail -n 1 .venv/install.log)"
    digest_of .venv/bin/python "requirements/$1.txt" >".venv/installed-$1"
}

# need_environment NAME...: makes .venv fit for the first name, unless it is already fit for one of them.
need_environment() {
    for name in "$@"; do
        if is_current "$name"; then return 0; fi
    done
    found=$(find_python) || refuse "Python 3.11 or newer with venv is needed and was not found on PATH"
    lock_environment
    for name in "$@"; do
        if is_current "$name"; then
            unlock_environment
            return 0
        fi
    done
    echo "$program: installing requirements/$1.txt into .venv (once; a minute or two)" >&2
    make_environment "$1"
    unlock_environment
}
