wrk.method = "POST"
wrk.body = string.rep("x", tonumber(os.getenv("POST_BYTES") or "1024"))
wrk.headers["Content-Type"] = "text/plain"
