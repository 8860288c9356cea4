# What the scripts beside this file share: arguments, a temporary folder that takes everything with it when it goes,
# the programs, a server to talk to with curl, and the runner. To be sourced.
#
# Each script: NAME [SECONDS | short]. It ends with 0 if the promise was kept, 1 if it was broken, 2 if it could not be
# done here. `short` takes at most about 20 seconds.

set -euo pipefail

fault=$(basename "$0")
stage=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$stage/../.." && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$repository/target}
export STARLING_BIN=${STARLING_BIN:-$CARGO_TARGET_DIR/debug/starling}
export STARLING_TORTURE=${STARLING_TORTURE:-$CARGO_TARGET_DIR/debug/starling-torture}

# Limits that one machine with many clients would hit, and that are not what is tried here.
limits=(--requests-per-second 100000 --requests-burst 100000 --password-attempts-per-minute 100000
    --sign-ins-per-minute 100000 --open-requests-per-second 100000)

# Longer lines of the runner are cut.
line_letters_max=400

say() { printf '%s: %s\n' "$fault" "$*"; }
broken() { printf '%s: BROKEN: %s\n' "$fault" "$*" >&2; exit 1; }
cannot() { printf '%s: can not be done here: %s\n' "$fault" "$*" >&2; exit 2; }

# arguments SECONDS SHORT "$@": sets `seconds` and `short`.
arguments() {
    short=
    case ${3:-} in
        short) short=1 seconds=$2 ;;
        '') seconds=$1 ;;
        *[!0-9]*) cannot "usage: $fault [SECONDS | short]" ;;
        *) seconds=$3 ;;
    esac
    [ -x "$STARLING_BIN" ] && [ -x "$STARLING_TORTURE" ] ||
        cannot 'build first: cargo build --package server --package starling-torture'
}

need_root() { [ "$(id -u)" -eq 0 ] || cannot 'needs root, for loop devices and mounts'; }
need() { "$repository/scripts/need" "$@" || cannot "misses one of: $*"; }

# ---- a folder, and what goes with it

folder=
server=
loops=()

# Makes the temporary folder and sees that nothing stays behind.
set_up() {
    folder=$(mktemp -d "${TMPDIR:-/tmp}/starling-$fault.XXXXXX")
    export STARLING_STAGE=$folder
    mkdir "$folder/disk"
    trap clear_up EXIT
    trap 'exit 130' INT TERM
}

clear_up() {
    local result=$?
    set +e
    [ -z "$server" ] || { kill -CONT "$server"; kill -KILL "$server"; wait "$server"; } 2>/dev/null
    # A script that strikes may have mounted it anew, above or instead of what was there.
    while mountpoint -q "$folder/disk"; do umount "$folder/disk" 2>/dev/null || umount -l "$folder/disk"; done
    # Loop devices go by themselves with their last user; these were not mounted at the end.
    losetup --list --noheadings --output NAME,BACK-FILE 2>/dev/null |
        awk -v at="$folder/" 'index($2, at) == 1 { print $1 }' | xargs -r -n 1 losetup --detach
    rm -rf "$folder"
    exit "$result"
}

# mount_image IMAGE [OPTIONS]: mounts an ext4 image at $folder/disk, by a loop device that hides nothing in a cache of
# its own: what is in the image is what a disk would have.
mount_image() {
    local device
    device=$(losetup --find --show --direct-io=on "$1") || cannot 'no loop device with direct I/O'
    mount -o "${2:-defaults}" "$device" "$STARLING_STAGE/disk" || cannot "$1 can not be mounted"
    # Goes when it is unmounted.
    losetup --detach "$device"
}

# make_image IMAGE MEGABYTES
make_image() {
    truncate -s "${2}M" "$1"
    mkfs.ext4 -q -F -m 0 -E lazy_itable_init=0,lazy_journal_init=0 "$1"
}

# ---- the runner

# A program that calls this script again whenever the runner wants to strike: NAME strike PROCESS FOLDER.
striker() {
    local path=$folder/strike
    printf '#!/bin/sh\nexec %q strike "$@"\n' "$stage/$fault" >"$path"
    chmod +x "$path"
    echo "$path"
}

# preloading LIBRARY NAME=VALUE…: a program that is the server with a library between it and the system.
preloading() {
    local library=$1 path=$folder/preloading
    shift
    { echo '#!/bin/sh'; printf 'exec env LD_PRELOAD=%q ' "$library"; printf '%q ' "$@" "$STARLING_BIN"; echo '"$@"'; } >"$path"
    chmod +x "$path"
    echo "$path"
}

# torture ARGUMENTS…: lets devices chat while the fault strikes, and judges what they saw.
torture() {
    local result=0 program=(--binary "$STARLING_BIN")
    [ "$1" != --binary ] || { program=("$1" "$2"); shift 2; }
    "$STARLING_TORTURE" run "${program[@]}" --seconds "$seconds" --episode-seconds "$((seconds < 30 ? seconds : 30))" \
        --history "${STARLING_HISTORY:-/tmp/starling-$fault-history.json}" --faults "$(striker)" "$@" \
        2>"$folder/log" | cut -c "1-$line_letters_max" || result=$?
    # What the server logged while it was struck is expected; what else was said is not.
    ((result == 0)) || { grep -v ' ERROR \| WARN ' "$folder/log" || true; } | tail -n 20 >&2
    case $result in
        0) ;;
        1) broken 'the history, see above' ;;
        *) broken 'the runner could not come to its end, see above' ;;
    esac
}

# Waits until a process that was killed has ended with all of its threads, so that the runner sees it.
until_ended() {
    while grep -qs '^State:.[^Z]' "/proc/$1/status" || grep -qs '^Threads:.*[02-9]' "/proc/$1/status"; do sleep 0.01; done
}

# ---- a server of our own, and curl

now_ms() { local now=$EPOCHREALTIME; echo $((${now/./} / 1000)); }

# start_server DATA ARGUMENTS…: sets `server` and `url`. False if it ended before it was ready.
start_server() {
    local data=$1
    shift
    # Emptied here, so that no older line is taken for the new one.
    : >"$folder/out"
    "$STARLING_BIN" serve --data "$data" --listen 127.0.0.1:0 --metrics-listen off "${limits[@]}" "$@" \
        >"$folder/out" 2>>"$folder/log" &
    server=$!
    until grep -q '^Starling is ready: ' "$folder/out"; do
        kill -0 "$server" 2>/dev/null || { wait "$server" || true; server=; return 1; }
        sleep 0.05
    done
    url=$(sed -n 's/^Starling is ready: \([^ ]*\).*/\1/p' "$folder/out" | head -n 1)
    url=${url%/}
}

stop_server() {
    kill -TERM "$server"
    wait "$server" || broken "the server ended with $?"
    server=
}

# call METHOD PATH [JSON]: sets `status` and `answer`. The status is 000 when there is no answer within the time.
call() {
    local more=()
    [ -z "${3:-}" ] || more=(-H 'Content-Type: application/json' --data-binary "$3")
    [ -z "${token:-}" ] || more+=(-H "Authorization: Bearer $token")
    answer=$(curl --silent --max-time "${patience:-10}" --request "$1" "$url$2" "${more[@]}" --write-out '\n%{http_code}') || true
    status=${answer##*$'\n'}
    answer=${answer%$'\n'*}
}

field() { jq -r "$1" <<<"$answer"; }

# sign_up USER: sets `token`.
sign_up() {
    token=
    call POST /v1/auth/register "{\"id\":\"$1\",\"password\":\"correct horse battery staple\"}"
    [ "$status" = 409 ] && call POST /v1/auth/login "{\"id\":\"$1\",\"password\":\"correct horse battery staple\"}"
    case $status in 2??) token=$(field .access_token) ;; *) broken "$1 can't sign up: $status $answer" ;; esac
}

# open_room ROOM
open_room() {
    call POST /v1/rooms "{\"id\":\"$1\",\"name\":\"$1\",\"join_rule\":\"open\"}"
    case $status in 2??) ;; *) broken "$1 can't be made: $status $answer" ;; esac
}

# post ROOM TEXT
post() { call POST "/v1/rooms/$1/messages" "{\"client_id\":\"$2\",\"content\":{\"type\":\"text\",\"text\":\"$2\"}}"; }

# resident PROCESS: memory in KiB.
resident() { awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"; }

# url_of PROCESS: where a server listens that the runner has started.
url_of() { echo "http://$(tr '\0' '\n' <"/proc/$1/cmdline" | sed -n '/^--listen$/{n;p;}')"; }
