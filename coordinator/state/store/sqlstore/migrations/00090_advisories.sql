-- What is remarked at this moment about sites that are up.
CREATE TABLE IF NOT EXISTS jetmon_advisories (
    site_id BIGINT NOT NULL,
    advisory INTEGER NOT NULL,
    blog_id BIGINT NOT NULL,
    bucket INTEGER NOT NULL,
    url VARCHAR(1024) NOT NULL,
    open_ms BIGINT NOT NULL,
    expire_ms BIGINT NOT NULL,
    detail VARCHAR(255) NOT NULL,
    PRIMARY KEY (site_id, advisory),
    UNIQUE (bucket, site_id, advisory),
    UNIQUE (blog_id, site_id, advisory),
    UNIQUE (advisory, site_id)
) {options}
