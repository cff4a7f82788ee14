-- What is remarked at this moment about sites that are up. tags are those of the site when it
-- opened, with commas between: they are needed when it closes because the site is gone.
CREATE TABLE IF NOT EXISTS jetmon_advisories (
    site_id BIGINT NOT NULL,
    advisory INTEGER NOT NULL,
    blog_id BIGINT NOT NULL,
    bucket INTEGER NOT NULL,
    url VARCHAR(1024) NOT NULL,
    open_ms BIGINT NOT NULL,
    expire_ms BIGINT NOT NULL,
    detail VARCHAR(255) NOT NULL,
    tags VARCHAR(300) NOT NULL,
    PRIMARY KEY (site_id, advisory),
    UNIQUE (bucket, site_id, advisory),
    UNIQUE (blog_id, site_id, advisory),
    UNIQUE (advisory, site_id)
) {options}
