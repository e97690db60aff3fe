"""What is made of the data: panel, stored windows, words, filings, returns after a filing."""
