// Command ferretdb serves the MongoDB protocol from a PostgreSQL database.
//
// Upstream's own command cannot be built from its module, and its embeddable package knows no SCRAM. This one
// wires the same parts together with SCRAM on, so that clients log in as they do at MongoDB. Every flag has an
// environment variable of upstream's name: --listen-tls is FERRETDB_LISTEN_TLS.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/FerretDB/FerretDB/internal/clientconn"
	"github.com/FerretDB/FerretDB/internal/clientconn/connmetrics"
	"github.com/FerretDB/FerretDB/internal/handler/registry"
	"github.com/FerretDB/FerretDB/internal/util/password"
	"github.com/FerretDB/FerretDB/internal/util/state"
)

// Upstream's defaults for what its command calls test options; zero is refused or means something else.
const (
	cappedCleanupPercentage = 10
	cursorBatchSize         = 100
)

type options struct {
	listenAddr, listenTLS, certFile, keyFile, caFile string
	postgreSQLURL, setupDatabase, username           string
	passwordFile                                     string
	setupTimeout                                     time.Duration
	logLevel                                         slog.Level
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ferretdb:", err)
		os.Exit(1)
	}
}

func run() error {
	o, err := parse()
	if err != nil {
		return err
	}
	secret, err := setupPassword(o.passwordFile)
	if err != nil {
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: o.logLevel}))
	provider, err := state.NewProvider("")
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err = provider.Update(func(s *state.State) { s.DisableTelemetry(); s.TelemetryLocked = true }); err != nil {
		return fmt.Errorf("state: %w", err)
	}

	metrics := connmetrics.NewListenerMetrics()
	handler, closeBackend, err := registry.NewHandler("postgresql", &registry.NewHandlerOpts{
		Logger:        logger,
		ConnMetrics:   metrics.ConnMetrics,
		StateProvider: provider,
		TCPHost:       o.listenAddr,
		PostgreSQLURL: o.postgreSQLURL,
		SetupDatabase: o.setupDatabase,
		SetupUsername: o.username,
		SetupPassword: password.WrapPassword(secret),
		SetupTimeout:  o.setupTimeout,
		TestOpts: registry.TestOpts{
			EnableNewAuth:           true,
			CappedCleanupPercentage: cappedCleanupPercentage,
			BatchSize:               cursorBatchSize,
		},
	})
	if closeBackend != nil {
		defer closeBackend()
	}
	if err != nil {
		return fmt.Errorf("PostgreSQL backend: %w", err)
	}

	listener, err := clientconn.Listen(&clientconn.NewListenerOpts{
		TCP:         o.listenAddr,
		TLS:         o.listenTLS,
		TLSCertFile: o.certFile,
		TLSKeyFile:  o.keyFile,
		TLSCAFile:   o.caFile,
		Mode:        clientconn.NormalMode,
		Metrics:     metrics,
		Handler:     handler,
		Logger:      logger,
	})
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	logger.Info("ready", "tcp", o.listenAddr, "tls", o.listenTLS)
	listener.Run(ctx)
	return nil
}

func parse() (options, error) {
	var o options
	text := func(target *string, name, value, usage string) {
		if set, ok := os.LookupEnv(variable(name)); ok {
			value = set
		}
		flag.StringVar(target, name, value, usage+" ($"+variable(name)+")")
	}
	text(&o.listenAddr, "listen-addr", "", "address without TLS; empty for none")
	text(&o.listenTLS, "listen-tls", "", "address with TLS; empty for none")
	text(&o.certFile, "listen-tls-cert-file", "", "server certificate, PEM")
	text(&o.keyFile, "listen-tls-key-file", "", "key of the server certificate, PEM")
	text(&o.caFile, "listen-tls-ca-file", "", "CA for client certificates, which are then demanded")
	text(&o.postgreSQLURL, "postgresql-url", "", "database to serve from; its sslmode and sslrootcert are honoured")
	text(&o.setupDatabase, "setup-database", "admin", "database in which the first user is made")
	text(&o.username, "setup-username", "", "first user, made when the setup database is not there yet")
	text(&o.passwordFile, "setup-password-file", "", "file with the first user's password, else $FERRETDB_SETUP_PASSWORD")

	var level, timeout string
	text(&level, "log-level", "info", "debug, info, warn or error")
	text(&timeout, "setup-timeout", "60s", "how long to wait for PostgreSQL at the start")
	flag.Parse()

	if flag.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if err := o.logLevel.UnmarshalText([]byte(level)); err != nil {
		return o, fmt.Errorf("--log-level: %w", err)
	}
	var err error
	if o.setupTimeout, err = time.ParseDuration(timeout); err != nil {
		return o, fmt.Errorf("--setup-timeout: %w", err)
	}
	switch {
	case o.postgreSQLURL == "":
		return o, errors.New("--postgresql-url is empty: expected postgres://user:password@host:5432/database")
	case o.listenAddr == "" && o.listenTLS == "":
		return o, errors.New("--listen-addr and --listen-tls are both empty: give at least one, as host:port")
	case o.username == "":
		return o, errors.New("--setup-username is empty: without a first user nobody could log in")
	}
	return o, nil
}

// variable is the environment variable of a flag.
func variable(flagName string) string {
	return "FERRETDB_" + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

func setupPassword(file string) (string, error) {
	if file == "" {
		if secret := os.Getenv("FERRETDB_SETUP_PASSWORD"); secret != "" {
			return secret, nil
		}
		return "", errors.New("no password for the first user: give --setup-password-file or $FERRETDB_SETUP_PASSWORD")
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--setup-password-file: %w", err)
	}
	secret := strings.TrimSpace(string(content))
	if secret == "" {
		return "", fmt.Errorf("--setup-password-file: %s is empty", file)
	}
	return secret, nil
}
