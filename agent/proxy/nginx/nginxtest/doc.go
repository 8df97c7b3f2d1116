// Package nginxtest runs a real nginx for tests, with web processes behind it.
package nginxtest
