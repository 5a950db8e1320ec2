"""What knows nothing of the method: checks, files, images, parallel work."""
