package schedule

// MaxStep is for the tests of the Agenda.
const MaxStep = maxStep
