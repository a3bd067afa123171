"""Do a checkpoint's features make sense on a gallery, and would other preprocessing suit them better?"""
