package acme

// MakeProvider makes the DNS provider of a client, as an order does before it uses one.
func MakeProvider(c *Client) error {
	_, err := c.provider()
	return err
}
