"""The page to try it on: any words on any photograph, in a browser."""
