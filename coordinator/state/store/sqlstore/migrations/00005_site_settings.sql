-- How a site is checked, as JSON; a site without a row has the defaults.
CREATE TABLE IF NOT EXISTS jetmon_site_settings (
    site_id BIGINT NOT NULL PRIMARY KEY,
    settings MEDIUMTEXT NOT NULL
) {options}
