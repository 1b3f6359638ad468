#!/bin/sh
# Postgres as the official image behaves: the first start makes the user and
# the database, later starts find them. Further arguments go to the server.
set -eu

bin=/usr/lib/postgresql/15/bin
: "${PGDATA:?}" "${POSTGRES_USER:=postgres}"
: "${POSTGRES_DB:=$POSTGRES_USER}"

# initdb and the server insist on a user with a name.
if ! getent passwd "$(id -u)" >/dev/null; then
    echo "no user has the number $(id -u): run this image as user 999" >&2
    exit 1
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?set it: the database would be open to everybody}"
    # An interrupted first start must not pass for a finished one.
    draft="$PGDATA.partial"
    rm -rf "$draft"
    password=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" >"$password"
    "$bin/initdb" -D "$draft" -U "$POSTGRES_USER" --pwfile="$password" --encoding=UTF8 --locale=C.UTF-8 \
        --auth-host=scram-sha-256 --auth-local=trust
    rm -f "$password"
    echo 'host all all all scram-sha-256' >>"$draft/pg_hba.conf"
    if [ "$POSTGRES_DB" != postgres ]; then
        echo "create database \"$POSTGRES_DB\"" | "$bin/postgres" --single -D "$draft" postgres >/dev/null
    fi
    rm -rf "$PGDATA"
    mv "$draft" "$PGDATA"
fi

# A new pod's fsGroup opens the volume to the group, and the server refuses such a folder.
chmod 0700 "$PGDATA"

exec "$bin/postgres" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/run/postgresql "$@"
