-- What WordPress.com's clients set for a whole blog, as JSON; a blog without a row has the
-- defaults.
CREATE TABLE IF NOT EXISTS jetmon_blog_settings (
    blog_id BIGINT NOT NULL PRIMARY KEY,
    settings MEDIUMTEXT NOT NULL
) {options}
