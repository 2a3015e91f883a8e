"""What stands between strangers and the page: plain ASGI guards, each against one kind of abuse.

`origin` refuses what another site's page asks a browser to do, `limits` what is too much,
`ownership` what belongs to somebody else; `person` tells people apart, and `admin` tells handlers
who may train and swap. Each answers with a status and a sentence in JSON.
"""
