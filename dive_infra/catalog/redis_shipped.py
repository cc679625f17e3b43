"""What Redis 7.0 to 7.4 ship: the value of each parameter that CONFIG GET answers without a configuration file.

From `static_configs` in Redis' src/config.c, hidden parameters left out; no default differs between these versions.
"""

from collections.abc import Mapping

_NAMES_BY_VALUE: Mapping[str, str] = {
    "resetchannels": "acl-pubsub-default",
    "": (
        "aclfile aof-rewrite-cpulist aof_rewrite_cpulist bgsave-cpulist bgsave_cpulist bind-source-addr "
        "bio-cpulist bio_cpulist cluster-announce-hostname cluster-announce-human-nodename "
        "cluster-announce-ip ignore-warnings locale-collate logfile masterauth masteruser "
        "notify-keyspace-events pidfile replica-announce-ip replicaof requirepass server-cpulist "
        "server_cpulist slave-announce-ip slaveof tls-ca-cert-dir tls-ca-cert-file tls-cert-file tls-ciphers "
        "tls-ciphersuites tls-client-cert-file tls-client-key-file tls-client-key-file-pass "
        "tls-dh-params-file tls-key-file tls-key-file-pass tls-protocols unixsocket"
    ),
    "128": (
        "acllog-max-len set-max-listpack-entries slowlog-max-len zset-max-listpack-entries zset-max-ziplist-entries"
    ),
    "25": "active-defrag-cycle-max",
    "1": (
        "active-defrag-cycle-min active-expire-effort cluster-migration-barrier io-threads lfu-decay-time "
        "max-new-tls-connections-per-cycle"
    ),
    "104857600": "active-defrag-ignore-bytes",
    "1000": "active-defrag-max-scan-fields",
    "10": (
        "active-defrag-threshold-lower cluster-replica-validity-factor cluster-slave-validity-factor hz "
        "lfu-log-factor max-new-connections-per-cycle maxmemory-eviction-tenacity min-replicas-max-lag "
        "min-slaves-max-lag repl-ping-replica-period repl-ping-slave-period shutdown-timeout"
    ),
    "100": (
        "active-defrag-threshold-upper auto-aof-rewrite-percentage replica-priority slave-priority "
        "stream-node-max-entries"
    ),
    "no": (
        "activedefrag always-show-logo aof-disable-auto-gc aof-timestamp-enabled appendonly "
        "cluster-allow-reads-when-down cluster-enabled cluster-replica-no-failover cluster-slave-no-failover "
        "daemonize enable-debug-command enable-module-command enable-protected-configs "
        "hide-user-data-from-log io-threads-do-reads lazyfree-lazy-eviction lazyfree-lazy-expire "
        "lazyfree-lazy-server-del lazyfree-lazy-user-del lazyfree-lazy-user-flush no-appendfsync-on-rewrite "
        "oom-score-adj rdb-del-sync-files repl-disable-tcp-nodelay replica-ignore-disk-write-errors "
        "replica-lazy-flush sanitize-dump-payload slave-lazy-flush supervised syslog-enabled tls-cluster "
        "tls-prefer-server-ciphers tls-replication"
    ),
    "yes": (
        "activerehashing aof-load-truncated aof-rewrite-incremental-fsync aof-use-rdb-preamble "
        "cluster-allow-pubsubshard-when-down cluster-allow-replica-migration cluster-require-full-coverage "
        "crash-log-enabled crash-memcheck-enabled disable-thp dynamic-hz jemalloc-bg-thread latency-tracking "
        "protected-mode rdb-save-incremental-fsync rdbchecksum rdbcompression repl-diskless-sync "
        "replica-announced replica-ignore-maxmemory replica-read-only replica-serve-stale-data set-proc-title "
        "slave-ignore-maxmemory slave-read-only slave-serve-stale-data stop-writes-on-bgsave-error "
        "tls-auth-clients tls-session-caching"
    ),
    "appendonlydir": "appenddirname",
    "appendonly.aof": "appendfilename",
    "everysec": "appendfsync",
    "67108864": "auto-aof-rewrite-min-size",
    "* -::*": "bind",
    "5000": "busy-reply-threshold lua-time-limit",
    "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60": "client-output-buffer-limit",
    "1073741824": "client-query-buffer-limit",
    "0": (
        "cluster-announce-bus-port cluster-announce-port cluster-announce-tls-port cluster-link-sendbuf-limit "
        "cluster-port latency-monitor-threshold list-compress-depth maxmemory maxmemory-clients "
        "min-replicas-to-write min-slaves-to-write repl-diskless-sync-max-replicas replica-announce-port "
        "slave-announce-port socket-mark-id timeout tls-port unixsocketperm"
    ),
    "nodes.conf": "cluster-config-file",
    "15000": "cluster-node-timeout",
    "ip": "cluster-preferred-endpoint-type",
    "16": "databases",
    "dump.rdb": "dbfilename",
    "512": "hash-max-listpack-entries hash-max-ziplist-entries set-max-intset-entries",
    "64": (
        "hash-max-listpack-value hash-max-ziplist-value set-max-listpack-value zset-max-listpack-value "
        "zset-max-ziplist-value"
    ),
    "3000": "hll-sparse-max-bytes",
    "50 99 99.9": "latency-tracking-info-percentiles",
    "-2": "list-max-listpack-size list-max-ziplist-size",
    "notice": "loglevel",
    "10000": "maxclients slowlog-log-slower-than",
    "noeviction": "maxmemory-policy",
    "5": "maxmemory-samples repl-diskless-sync-delay",
    "0 200 800": "oom-score-adj-values",
    "6379": "port",
    "{title} {listen-addr} {server-mode}": "proc-title-template",
    "ignore": "propagation-error-behavior",
    "536870912": "proto-max-bulk-len",
    "1048576": "repl-backlog-size",
    "3600": "repl-backlog-ttl",
    "disabled": "repl-diskless-load",
    "60": "repl-timeout",
    "3600 1 300 100 60 10000": "save",
    "default": "shutdown-on-sigint shutdown-on-sigterm",
    "4096": "stream-node-max-bytes",
    "local0": "syslog-facility",
    "redis": "syslog-ident",
    "511": "tcp-backlog",
    "300": "tcp-keepalive tls-session-cache-timeout",
    "20480": "tls-session-cache-size",
    "1000000": "tracking-table-max-keys",
}

REDIS_SHIPPED: Mapping[str, str] = {name: value for value, names in _NAMES_BY_VALUE.items() for name in names.split()}
