#!/bin/sh
# Writes each secret to a file of its own under secrets/, from .env where it is filled in; what only the fleet itself
# needs to know is drawn at random. Files that are there stay as they are. Compose cannot hand secrets of the
# environment to containers with a read-only file system (docker/compose pull request 12531), so they must be files.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets/connector connectors
# The folder is closed to others; its files are readable, because in a container they belong to another user.
chmod 700 secrets

value_of() {
    [ -f .env ] || return 0
    sed -n "s/^$1=//p" .env | tail -n 1 | sed -e "s/^\"\(.*\)\"\$/\1/" -e "s/^'\(.*\)'\$/\1/"
}

random() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

write() { # file, value
    printf '%s' "$2" > "secrets/$1"
    chmod 444 "secrets/$1"
}

for name in POSTGRES_PASSWORD REDIS_PASSWORD METRICS_TOKEN FLOWER_BASIC_AUTH; do
    file=$(printf '%s' "$name" | tr 'A-Z' 'a-z')
    [ -s "secrets/$file" ] && continue
    value=$(value_of "$name")
    if [ -z "$value" ]; then
        value=$(random)
        [ "$name" = FLOWER_BASIC_AUTH ] && value="flower:$value"
        echo "secrets/$file: drawn at random"
    fi
    write "$file" "$value"
done

missing=""
for name in WIX_APP_SECRET WIX_PUBLIC_KEY; do
    file=$(printf '%s' "$name" | tr 'A-Z' 'a-z')
    [ -s "secrets/$file" ] && continue
    value=$(value_of "$name")
    [ -n "$value" ] && write "$file" "$value" || missing="$missing $name"
done

for name in $(sed -n 's/^\([A-Z][A-Z0-9_]*\)_FILE=\/run\/secrets\/connector\/.*/\1/p' connector.env 2>/dev/null); do
    file="connector/$(printf '%s' "$name" | tr 'A-Z' 'a-z')"
    [ -s "secrets/$file" ] && continue
    value=$(value_of "$name")
    [ -n "$value" ] && write "$file" "$value" || missing="$missing $name"
done
[ -d secrets/connector ] && chmod 755 secrets/connector

if [ -n "$missing" ]; then
    echo "still missing:$missing; fill them in .env and run this again" >&2
    exit 1
fi
echo "all secrets are in place: docker compose up -d"
