package main

import (
	"database/sql"
	"fmt"

	"github.com/go-sql-driver/mysql"
)

// mysqlClient takes a data source name with %s for the address. The driver switches
// keepalive on if the connection is a plain *net.TCPConn, but sets no times.
func mysqlClient(source string) client {
	return func(address string, dial dialer) (call func() error, end func(), err error) {
		config, err := mysql.ParseDSN(fmt.Sprintf(source, address))
		if err != nil {
			return nil, nil, err
		}
		config.DialFunc = dial
		config.Logger = &mysql.NopLogger{} // Only the logger gets the text of the verdict.
		connector, err := mysql.NewConnector(config)
		if err != nil {
			return nil, nil, err
		}
		db := sql.OpenDB(connector)
		return func() error { _, err := db.Exec("select 1"); return err }, func() { db.Close() }, nil
	}
}
