# shellcheck shell=sh
# Sourced by ./quickstart and ./check: what a fresh Debian or Ubuntu needs. It installs only what is missing, says
# so before it does, and starts the engine where no init system would.

say() { printf '== %s\n' "$*"; }

give_up() {
    printf 'error: %s\n' "$1" >&2
    printf '  next: %s\n' "$2" >&2
    exit 3
}

# Ends here, with what it is needed for, where there is neither root nor sudo.
need_root() {
    [ "$(id -u)" = 0 ] && return
    command -v sudo >/dev/null 2>&1 && return
    give_up "root or sudo is needed to $1; this user, $(id -un), has neither" \
        "have an administrator do that once, then start this again"
}

# sudo asks on the terminal itself, so a password can be given though output is caught.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
    command -v apt-get >/dev/null 2>&1 ||
        give_up "these are missing: $*" "install them with this system's package manager (Debian and Ubuntu: automatic)"
    need_root "install $*"
    say "installing from the distribution's packages: $*"
    apt_quietly update
    apt_quietly install --yes --no-install-recommends "$@"
}

# apt-get, heard only where it fails.
apt_quietly() {
    said=$(as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq "$@" 2>&1 </dev/null) || {
        printf '%s\n' "$said" >&2
        give_up "apt-get $1 failed" "see apt's lines above: no network, a mirror, or a lock held by another apt"
    }
}

# Prints the name of a Python that is new enough.
find_python() {
    for candidate in python3.11 python3 python3.12 python3.13; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    give_up "Python 3.11 or newer is needed" "sudo apt-get install python3 (Debian 12 has 3.11)"
}

# Makes .venv with the tool in it ($1: the extras), again only when what it is made from has changed. Every package is
# a wheel whose SHA-256 is in requirements/$1.txt: nothing that the index sends runs before its hash was compared.
make_environment() {
    extras=$1
    requirements=requirements/$extras.txt
    stamp=$(cat pyproject.toml "$requirements" | sha256sum | cut -c1-16)-$extras
    if [ -x .venv/bin/toolkit ] && [ "$(cat .venv/made-from 2>/dev/null)" = "$stamp" ]; then
        return
    fi
    python=$(find_python) || exit 3
    say "making the virtual environment .venv with $($python --version)"
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        install_packages "python$version-venv"
    fi
    "$python" -m venv --clear .venv
    .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement "$requirements" ||
        give_up "the tool's Python packages could not be installed" "see pip's lines above"
    .venv/bin/python -m pip install -qq --disable-pip-version-check --no-index --no-deps --no-build-isolation \
        --editable . || give_up "the tool itself could not be installed" "see pip's lines above"
    # pip compiles what it installs, but not this folder; where PYTHONDONTWRITEBYTECODE is set, nothing else would.
    .venv/bin/python -m compileall -q toolkit
    echo "$stamp" >.venv/made-from
}

engine_answers() { docker info >/dev/null 2>&1; }

# Docker Engine that answers, and mmdebstrap.
ensure_engine() {
    command -v mmdebstrap >/dev/null 2>&1 || install_packages mmdebstrap debian-archive-keyring
    engine_answers && return
    if [ -S /var/run/docker.sock ] && [ ! -w /var/run/docker.sock ]; then
        give_up "Docker Engine is here, but $(id -un) may not use it" \
            "sudo usermod -aG docker $(id -un), log in again, then start this again"
    fi
    if ! command -v dockerd >/dev/null 2>&1 && [ ! -x /usr/sbin/dockerd ]; then
        say "no container engine answers and none is installed"
        install_packages docker.io apparmor ca-certificates
    fi
    need_root "start Docker Engine"
    if [ -d /run/systemd/system ]; then
        say "starting Docker Engine with systemd"
        as_root systemctl start docker
    else
        start_engine_by_hand
    fi
    wait_for_engine
}

# What the real tests need besides an engine: a registry and sshds, which the tests start for themselves, another
# reader of images, and mpirun, which ddlrun starts. The quick ones ask ssh what an ssh_config means, and press Tab in
# each shell that `toolkit completion` knows; hints about keys are openssl's commands.
ensure_test_programs() {
    set --
    command -v skopeo >/dev/null 2>&1 || set -- skopeo
    if ! command -v docker-registry >/dev/null 2>&1; then
        without_service docker-registry
        set -- "$@" docker-registry
    fi
    if [ ! -x /usr/sbin/sshd ]; then
        without_service ssh
        set -- "$@" openssh-server
    fi
    command -v ssh-agent >/dev/null 2>&1 || set -- "$@" openssh-client
    command -v openssl >/dev/null 2>&1 || set -- "$@" openssl
    command -v mpirun >/dev/null 2>&1 || set -- "$@" openmpi-bin
    command -v zsh >/dev/null 2>&1 || set -- "$@" zsh
    command -v fish >/dev/null 2>&1 || set -- "$@" fish
    [ $# = 0 ] || install_packages "$@"
}

# Its package would start this service for everyone.
without_service() {
    [ -d /run/systemd/system ] || return 0
    need_root "install $1 for the tests"
    as_root systemctl --quiet mask "$1.service" 2>/dev/null || true
}

# What `tox -e ddl` and `tox -e torch` compile and run with.
ensure_ddl_programs() {
    set --
    command -v g++ >/dev/null 2>&1 || set -- g++
    # mpicc comes with openmpi-bin, the headers that it compiles with do not. dpkg knows packages that are not installed.
    # shellcheck disable=SC2016 # the format is dpkg's
    [ "$(dpkg-query --show --showformat '${db:Status-Status}' libopenmpi-dev 2>/dev/null)" = installed ] ||
        set -- "$@" libopenmpi-dev
    command -v mpirun >/dev/null 2>&1 || set -- "$@" openmpi-bin
    command -v valgrind >/dev/null 2>&1 || set -- "$@" valgrind
    [ $# = 0 ] || install_packages "$@"
}

# What `tox -e report` opens reports in.
ensure_browser() {
    command -v chromium >/dev/null 2>&1 || install_packages chromium
}

# BuildKit's command line: a package from Debian 13 on; Debian 12's CLI takes the same program as a plugin.
ensure_buildkit() {
    docker buildx version >/dev/null 2>&1 && return
    if apt-cache show docker-buildx >/dev/null 2>&1; then
        install_packages docker-buildx
    else
        say "fetching Debian 13's docker-buildx as a plugin of this user's: this distribution has no package of it"
        .venv/bin/python setup/buildx.py ||
            give_up "BuildKit's command line could not be fetched" "see the lines above: no network, or a mirror"
    fi
}

# Whether a process of this name lives; a zombie does not.
lives() {
    for status in /proc/[0-9]*/status; do
        name='' state=''
        while read -r field value _; do
            case $field in Name:) name=$value ;; State:) state=$value && break ;; esac
        done <"$status" 2>/dev/null || continue
        [ "$name" = "$1" ] && [ "$state" != Z ] && return
    done
    return 1
}

start_engine_by_hand() {
    if lives dockerd; then
        say "Docker Engine is starting already"
        return
    fi
    as_root true # asks for the password before anything goes to the background
    say "no init system here: starting Docker Engine by hand; it stays when this ends (stop it: kill \$(cat /run/docker.pid))"
    engine_log=/var/log/toolkit-dockerd.log
    # What a killed engine left makes a new one wait for a containerd that is gone.
    lives containerd || as_root rm -rf /run/docker/containerd /run/docker.pid
    # shellcheck disable=SC2016 # $1 belongs to the inner shell
    as_root sh -c 'PATH=$PATH:/usr/sbin:/sbin setsid dockerd >"$1" 2>&1 </dev/null &' start "$engine_log"
}

wait_for_engine() {
    tries=0
    until engine_answers; do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ]; then
            if [ ! -w /var/run/docker.sock ] && as_root docker info >/dev/null 2>&1; then
                give_up "Docker Engine runs now, but $(id -un) may not use it" \
                    "sudo usermod -aG docker $(id -un), log in again, then start this again"
            fi
            give_up "Docker Engine does not answer" "its log: ${engine_log:-journalctl -u docker}"
        fi
        sleep 0.3
    done
}
