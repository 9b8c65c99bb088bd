package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// pgxClient takes a connection string with %s for the address.
func pgxClient(source string, args ...any) client {
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
		query := "select 1"
		if len(args) > 0 {
			query = "select $1::int"
		}
		end = func() {
			c.Close(ctx)
			<-c.PgConn().CleanupDone() // It dials to cancel what it does not wait for.
		}
		return func() error { _, err := c.Exec(ctx, query, args...); return err }, end, nil
	}
}
