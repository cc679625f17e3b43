#!/bin/bash
# First start makes the cluster from POSTGRES_*; every start then runs the command.
set -Eeuo pipefail

# value NAME: the content of the file $NAME_FILE, or $NAME.
value() {
    local file="${1}_FILE"
    if [ -n "${!file:-}" ]; then cat "${!file}"; else printf %s "${!1:-}"; fi
}

create_cluster() {
    local user password database
    user=$(value POSTGRES_USER) password=$(value POSTGRES_PASSWORD) database=$(value POSTGRES_DB)
    user=${user:-postgres} database=${database:-$user}
    [ -n "$password" ] || { echo 'error: set POSTGRES_PASSWORD_FILE: the superuser needs a password' >&2; exit 1; }

    # Made beside its final place, so that an interrupted first start leaves nothing that looks finished.
    local final=$PGDATA making=$PGDATA.new
    rm -rf "$making"
    install --directory --mode 0700 "$making"
    # shellcheck disable=SC2086  # arguments, split on purpose, as in the official image
    initdb -D "$making" --username="$user" --pwfile=<(printf '%s\n' "$password") ${POSTGRES_INITDB_ARGS:-}
    printf 'host all all all scram-sha-256\n' >>"$making/pg_hba.conf"

    pg_ctl -D "$making" -w -o "-c listen_addresses= -p 5432" start
    export PGPASSWORD=$password # for these clients only
    local sql=(psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$user")
    [ "$database" = postgres ] || "${sql[@]}" --dbname postgres --set db="$database" <<<'CREATE DATABASE :"db";'
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh) bash "$file" ;;
            *.sql) "${sql[@]}" --dbname "$database" --file "$file" ;;
        esac
    done
    pg_ctl -D "$making" -m fast -w stop
    unset PGPASSWORD
    mv -T "$making" "$final"
}

[ "${1:0:1}" != - ] || set -- postgres "$@"
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then create_cluster; fi
exec "$@"
