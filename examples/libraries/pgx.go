package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// pgxClient takes a connection string with %s for the address, and the function that
// makes a call.
func pgxClient(source string, do func(context.Context, *pgx.Conn) error) client {
	return func(address string, dial dialer) (call func() error, end func(), err error) {
		config, err := pgx.ParseConfig(fmt.Sprintf(source, address))
		if err != nil {
			return nil, nil, err
		}
		config.DialFunc = dial // In a pool: pgxpool.Config.ConnConfig.DialFunc.
		ctx := context.Background()
		c, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return nil, nil, err
		}
		end = func() {
			c.Close(ctx)
			<-c.PgConn().CleanupDone() // It may still dial, to cancel a query.
		}
		return func() error { return do(ctx, c) }, end, nil
	}
}

func pgxExec(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "select 1")
	return err
}
