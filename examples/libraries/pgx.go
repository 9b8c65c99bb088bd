package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// pgxClient takes a connection string with %s for the address, and what a call does.
func pgxClient(source string, do func(context.Context, *pgx.Conn) error) client {
	return func(address string, dial dialer) (call func() error, end func(), err error) {
		config, err := pgx.ParseConfig(fmt.Sprintf(source, address))
		if err != nil {
			return nil, nil, err
		}
		config.DialFunc = dial // Of a pool: pgxpool.Config.ConnConfig.DialFunc.
		ctx := context.Background()
		c, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return nil, nil, err
		}
		end = func() {
			c.Close(ctx)
			<-c.PgConn().CleanupDone() // It dials to cancel what it does not wait for.
		}
		return func() error { return do(ctx, c) }, end, nil
	}
}

func pgxExec(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "select 1")
	return err
}
