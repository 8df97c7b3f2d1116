package acme_test

const childDir = "DOKKU_TEST_ACME"

func child(dir string) {}
