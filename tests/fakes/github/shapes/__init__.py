"""What is remembered, written as the REST API writes it."""
