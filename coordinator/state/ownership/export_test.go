package ownership

// Renew is for the tests of the leases.
const Renew = renewEvery
