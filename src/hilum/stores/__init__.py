"""MEMORY. The only place with SQL, file paths of images, buckets."""
