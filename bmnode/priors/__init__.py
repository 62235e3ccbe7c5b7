"""Which earlier examination a study is compared with.

`examination` says what must be known of each, `comparable` judges one candidate, `choice` picks among many, `handover`
is the folder in which a job is told. Nothing here talks to an archive.
"""
