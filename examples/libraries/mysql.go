package main

import (
	"database/sql"
	"fmt"

	"github.com/go-sql-driver/mysql"
)

// mysqlClient takes the data source's name with %s for the address. Of a plain
// *net.TCPConn the driver switches keepalive on, but sets no times.
func mysqlClient(source string) client {
	return func(address string, dial dialer) (call func() error, end func(), err error) {
		config, err := mysql.ParseDSN(fmt.Sprintf(source, address))
		if err != nil {
			return nil, nil, err
		}
		config.DialFunc = dial
		config.Logger = &mysql.NopLogger{} // It is given the text of the verdict, and nobody else.
		connector, err := mysql.NewConnector(config)
		if err != nil {
			return nil, nil, err
		}
		db := sql.OpenDB(connector)
		return func() error { _, err := db.Exec("select 1"); return err }, func() { db.Close() }, nil
	}
}
