"""What the notebooks do not show: checks of arguments, batches, speed, checkpoints, files. Start reading elsewhere."""
