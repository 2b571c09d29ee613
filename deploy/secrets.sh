#!/bin/sh
# Writes each secret to a file of its own under secrets/, from .env where it is filled in; what only the fleet itself
# needs to know is drawn at random. Files that are there stay as they are, and it says so. Compose cannot hand secrets of
# the environment to containers with a read-only file system (docker/compose pull request 12531), so they must be files.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets/connector connectors
# The folder is closed to others; its files are readable, because in a container they belong to another user.
chmod 700 secrets

# The value of a name in .env, as the program itself reads it: a comment after it, quotes, a byte order mark and Windows
# line ends are no part of it; in quotes, and of a PEM, it goes over several lines.
value_of() {
    [ -f .env ] || return 0
    LC_ALL=C awk -v name="$1" '
        # What stands after a backslash in quotes; other backslashes are part of the value.
        function unescaped(from,    to, place, sign, next_sign, known) {
            known = (open == "\"") ? "\\\"\047abfnrtv" : "\\\047"
            for (place = 1; place <= length(from); place++) {
                sign = substr(from, place, 1)
                next_sign = substr(from, place + 1, 1)
                if (sign == "\\" && next_sign != "" && index(known, next_sign)) {
                    place++
                    sign = (next_sign in ESCAPES) ? ESCAPES[next_sign] : next_sign
                }
                to = to sign
            }
            return to
        }
        function finish() { value = (open == "PEM") ? text : unescaped(text); open = "" }
        function take(line,    place) {
            if (open == "PEM") {
                text = text (text == "" ? "" : "\n") line
                if (line ~ /-----END [A-Z ]+-----/) finish()
                return
            }
            place = 1
            while (place <= length(line) && substr(line, place, 1) != open) {
                if (substr(line, place, 1) == "\\") place++
                place++
            }
            text = text (begun ? "\n" : "") substr(line, 1, place - 1)
            begun = 1
            if (place <= length(line)) finish()
        }
        BEGIN {
            ESCAPES["a"] = "\a"; ESCAPES["b"] = "\b"; ESCAPES["f"] = "\f"; ESCAPES["n"] = "\n"
            ESCAPES["r"] = "\r"; ESCAPES["t"] = "\t"; ESCAPES["v"] = "\v"
        }
        NR == 1 { sub(/^\357\273\277/, "") }
        { sub(/\r$/, "") }
        open != "" { take($0); next }
        $0 ~ "^[ \t]*(export[ \t]+)?" name "[ \t]*=" {
            line = $0
            sub(/^[^=]*=[ \t]*/, "", line)
            text = ""; begun = 0
            first = substr(line, 1, 1)
            if (first == "\"" || first == "\047") { open = first; take(substr(line, 2)) }
            else if (line ~ /^-----BEGIN/ && line !~ /-----END/) { open = "PEM"; take(line) }
            else { sub(/([ \t]+|^)#.*$/, "", line); sub(/[ \t]+$/, "", line); value = line }
        }
        END {
            if (index(value, "${")) {
                print ".env: " name " holds ${, which stands for another setting; write the value itself" > "/dev/stderr"
                exit 1
            }
            printf "%s", value
        }
    ' .env
}

random() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

write() { # file, value
    printf '%s' "$2" > "secrets/$1"
    chmod 444 "secrets/$1"
}

kept="" differing="" missing=""

# A file that is there is kept, and named where .env says otherwise. Status 1: there is none.
keep() { # file, value
    [ -s "secrets/$1" ] || return 1
    if [ -n "$2" ] && [ "$2" != "$(cat "secrets/$1")" ]; then
        differing="$differing secrets/$1"
        echo "secrets/$1: kept as it was, though .env has another value" >&2
    else
        kept="$kept $1"
    fi
}

from_env() { # file, name
    value=$(value_of "$2")
    keep "$1" "$value" && return 0
    if [ -z "$value" ]; then
        missing="$missing $2"
        return 0
    fi
    write "$1" "$value"
    echo "secrets/$1: written from .env"
}

for name in POSTGRES_PASSWORD REDIS_PASSWORD METRICS_TOKEN FLOWER_BASIC_AUTH; do
    file=$(printf '%s' "$name" | tr 'A-Z' 'a-z')
    value=$(value_of "$name")
    keep "$file" "$value" && continue
    if [ -n "$value" ]; then
        write "$file" "$value"
        echo "secrets/$file: written from .env"
        continue
    fi
    value=$(random)
    [ "$name" = FLOWER_BASIC_AUTH ] && value="flower:$value"
    write "$file" "$value"
    echo "secrets/$file: drawn at random"
done

# What seals the secrets that owners of shops give (docs/accounts.md): for its owner alone, the user of the containers. Who
# is not root cannot give it to that user: then it is closed by its folder, as the other files are.
value=$(value_of SECRETS_KEY)
if ! keep secrets_key "$value"; then
    what="written from .env"
    if [ -z "$value" ]; then
        value=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n')
        what="drawn at random; keep a copy apart from the backups of the database"
    fi
    write secrets_key "$value"
    if chown 10001:10001 secrets/secrets_key 2> /dev/null; then chmod 600 secrets/secrets_key; fi
    echo "secrets/secrets_key: $what"
fi

for name in WIX_APP_SECRET WIX_PUBLIC_KEY; do
    from_env "$(printf '%s' "$name" | tr 'A-Z' 'a-z')" "$name"
done

for name in $(sed -n 's/^\([A-Z][A-Z0-9_]*\)_FILE=\/run\/secrets\/connector\/.*/\1/p' connector.env 2>/dev/null); do
    from_env "connector/$(printf '%s' "$name" | tr 'A-Z' 'a-z')" "$name"
done
[ -d secrets/connector ] && chmod 755 secrets/connector

[ -n "$kept" ] && echo "kept as they were:$kept"
if [ -n "$missing" ]; then
    echo "still missing:$missing; fill them in .env and run this again" >&2
    exit 1
fi
if [ -n "$differing" ]; then
    echo "every secret has a file, but .env has another value for:$differing" >&2
    echo "to take those of .env: rm -f$differing, and run this again; else: docker compose up -d" >&2
    exit 0
fi
echo "all secrets are in place: docker compose up -d"
