"""Which earlier examination a study is compared with.

`examination` says what must be known of each, `comparable` judges one candidate, `choice` picks among many. Nothing
here talks to an archive.
"""
