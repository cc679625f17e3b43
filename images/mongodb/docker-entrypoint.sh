#!/bin/bash
# Understands mongod's arguments and the official image's variables; runs Postgres and FerretDB together.
set -Eeuo pipefail

fail() { echo "error: $*" >&2; exit 1; }

[ "${1:0:1}" != - ] || set -- mongod "$@"
[ "$1" = mongod ] || exec "$@"
shift

port=27017 tls=disabled pair='' ca='' anonymous=no
while [ $# -gt 0 ]; do
    case $1 in
        --port) port=$2; shift ;;
        --tlsMode) tls=$2; shift ;;
        --tlsCertificateKeyFile) pair=$2; shift ;;
        --tlsCAFile) ca=$2; shift ;;
        --tlsAllowConnectionsWithoutCertificates) anonymous=yes ;;
        --bind_ip_all | --auth) ;;
        *) fail "mongod $1: not understood by FerretDB's stand-in for MongoDB" ;;
    esac
    shift
done
case $tls in
    requireTLS)
        [ -r "$pair" ] || fail "--tlsCertificateKeyFile '$pair': not readable"
        export FERRETDB_LISTEN_TLS=":$port" FERRETDB_LISTEN_TLS_CERT_FILE=$pair FERRETDB_LISTEN_TLS_KEY_FILE=$pair
        [ "$anonymous" = yes ] || export FERRETDB_LISTEN_TLS_CA_FILE=$ca
        ;;
    disabled) export FERRETDB_LISTEN_ADDR=":$port" ;;
    *) fail "--tlsMode $tls: expected requireTLS or disabled" ;;
esac
[ ! -e /data/db/WiredTiger ] || fail '/data/db holds data of MongoDB itself; FerretDB cannot serve it'

# Made beside its final place, so that an interrupted first start leaves nothing that looks finished.
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -n "${MONGO_INITDB_ROOT_USERNAME:-}" ] || fail 'set MONGO_INITDB_ROOT_USERNAME and MONGO_INITDB_ROOT_PASSWORD_FILE'
    rm -rf "$PGDATA.new"
    initdb -D "$PGDATA.new" --username="$PGUSER" --encoding=UTF8 --locale=C.UTF-8 --data-checksums \
        --auth-local=peer --auth-host=reject
    mv -T "$PGDATA.new" "$PGDATA"
    # MongoDB itself refuses a directory whose metadata it cannot read, and does not begin anew beside our data.
    echo 'the data here is kept by FerretDB, in postgres/' >/data/db/storage.bson
fi

postgres -c listen_addresses= -c shared_buffers=128MB -c jit=off -c log_min_messages=warning &
postgres=$!
until pg_isready -q; do kill -0 $postgres || fail 'Postgres ended'; sleep 0.1; done
[ "$(psql -Atc "SELECT 1 FROM pg_database WHERE datname = 'ferretdb'")" = 1 ] || psql -qc 'CREATE DATABASE ferretdb'

export FERRETDB_POSTGRESQL_URL="postgres://$PGUSER@/ferretdb?host=$PGHOST"
export FERRETDB_SETUP_USERNAME=${MONGO_INITDB_ROOT_USERNAME:-}
export FERRETDB_SETUP_PASSWORD_FILE=${MONGO_INITDB_ROOT_PASSWORD_FILE:-}
export FERRETDB_SETUP_PASSWORD=${MONGO_INITDB_ROOT_PASSWORD:-}
ferretdb --log-level=warn &
ferretdb=$!

# One without the other is of no use: whichever ends first, the other is ended too.
trap 'kill -TERM $ferretdb 2>/dev/null || :' TERM INT
code=0
wait -n $postgres $ferretdb || code=$?
kill -TERM $ferretdb 2>/dev/null || :
wait $ferretdb || :
kill -INT $postgres 2>/dev/null || :
wait $postgres || :
exit $code
