# What a fleet needs, by docs/sizing.md, as a table:
#
#   awk -f docs/sizing.awk                                   the six fleets of the page
#   awk -v sites=250000 -v interval=120 -f docs/sizing.awk    250,000 sites, each every 120 s

# amount prints a number with two or three digits that count, and a unit of thousands.
function amount(n) {
    if (n >= 9999500) return sprintf("%.0fM", n / 1e6)
    if (n >= 999500) return sprintf("%.1fM", n / 1e6)
    if (n >= 9999.5) return sprintf("%.0fk", n / 1e3)
    if (n >= 99.5) return sprintf("%.0f", n)
    if (n >= 9.95) return sprintf("%.0f", n)
    if (n >= 0.95) return sprintf("%.1f", n)
    return sprintf("%.2f", n)
}

function put(what, n) {
    if (!(what in row)) { row[what] = "| " what " |"; order[++rows] = what }
    row[what] = row[what] " " amount(n) " |"
}

function fleet(sites, interval,    rate, flight) {
    head = head " " amount(sites) " sites, " interval " s |"
    rule = rule "---|"
    rate = sites / interval
    flight = rate * 0.7                                                   # seconds a check
    put("checks a second", rate)
    put("checks in flight, usually", flight)
    put("`--max-in-flight`, summed over the checkers", 2 * flight)
    put("cores, all checkers", 2 * rate * 0.00066)                        # seconds of CPU a check
    put("GiB, all checkers, beside 0.1 each", (2 * flight * 40 + sites * 0.85 * 0.6) / 1024 / 1024)   # KiB a check in flight, and a TLS session
    put("Mbit/s between checkers and sites", rate * 12 * 8 / 1000)        # KB a check
    put("packets a second there", rate * 23)
    put("tracked connections there", rate * 1.2 * 120)                    # connections a check, seconds tracked
    put("descriptors, all checkers, beside 256 each", 2 * 2 * flight)
    put("cores, all coordinators", 2 * (0.03 + rate * 0.0000072))         # seconds of CPU a check
    put("GiB of each coordinator", (55 + sites * 230 / 1048576) / 1024)   # bytes a site
    put("Mbit/s of the checkers' streams", rate * 150 * 8 / 1e6)          # bytes a check
    put("GB of history in the database", (rate * 86400 * 0.6 * 35 + sites * 26 * 400) / 1e9)   # bytes a check and days; a site's day and days
    put("GB of sites and the index of hosts", sites * 300 / 1e9)          # bytes a site
}

BEGIN {
    head = "| |"; rule = "|---|"
    if (sites > 0 && interval > 0) fleet(sites, interval)
    else for (i = 1; i <= split("10000 600000 10000000", all, " "); i++) { fleet(all[i], 300); fleet(all[i], 60) }
    print head
    print rule
    for (i = 1; i <= rows; i++) print row[order[i]]
}
