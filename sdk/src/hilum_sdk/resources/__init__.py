"""The API's nouns, one file each."""
