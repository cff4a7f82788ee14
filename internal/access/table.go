package access

import (
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
)

// rules has the rule of each RPC, by its full name. A coordinator calls the API of another
// on behalf of a caller whom it has asked; see internal/rpc.
var rules = map[string]Rule{
	monitorv1.SiteService_ListSites_FullMethodName:     {Scope: SitesRead, Roles: []Role{Coordinator}},
	monitorv1.SiteService_GetSite_FullMethodName:       {Scope: SitesRead},
	monitorv1.SiteService_BatchGetSites_FullMethodName: {Scope: SitesRead, Roles: []Role{Coordinator}},
	monitorv1.SiteService_ExplainSite_FullMethodName:   {Scope: SitesRead, Roles: []Role{Coordinator}},
	monitorv1.SiteService_CreateSite_FullMethodName:    {Scope: SitesWrite, Roles: []Role{Coordinator}, Edits: true},
	monitorv1.SiteService_UpdateSite_FullMethodName:    {Scope: SitesWrite, Roles: []Role{Coordinator}, Edits: true},
	monitorv1.SiteService_DeleteSite_FullMethodName:    {Scope: SitesWrite, Roles: []Role{Coordinator}, Edits: true},

	monitorv1.SiteService_PauseSite_FullMethodName:   {Scope: SitesWrite, Roles: []Role{Coordinator}, Edits: true},
	monitorv1.SiteService_ResumeSite_FullMethodName:  {Scope: SitesWrite, Roles: []Role{Coordinator}, Edits: true},
	monitorv1.SiteService_CheckSite_FullMethodName:   {Scope: ChecksRun, Roles: []Role{Coordinator}},
	monitorv1.SiteService_ImportSites_FullMethodName: {Scope: SitesWrite, Edits: true, AtOnce: 2},
	monitorv1.SiteService_ExportSites_FullMethodName: {Scope: SitesRead, AtOnce: 2},

	monitorv1.DiagnosisService_DiagnoseSite_FullMethodName: {Scope: ChecksRun, AtOnce: 2},

	monitorv1.OutageService_ListOutages_FullMethodName:  {Scope: OutagesRead},
	monitorv1.OutageService_GetOutage_FullMethodName:    {Scope: OutagesRead},
	monitorv1.OutageService_ReplayOutage_FullMethodName: {Scope: OutagesRead},

	monitorv1.OutageService_ListOutageNotices_FullMethodName: {Scope: OutagesRead},

	monitorv1.AdvisoryService_ListAdvisories_FullMethodName: {Scope: SitesRead},

	// Sites say which of them have badges.
	monitorv1.BadgeService_GetBadge_FullMethodName: {Public: true, AtOnce: 32},

	monitorv1.HistoryService_GetSiteHistory_FullMethodName:      {Scope: SitesRead, AtOnce: 16},
	monitorv1.HistoryService_ExportSiteHistory_FullMethodName:   {Scope: SitesRead, AtOnce: 2},
	monitorv1.HistoryService_GetSiteUptime_FullMethodName:       {Scope: SitesRead, AtOnce: 16},
	monitorv1.HistoryService_BatchGetSiteUptimes_FullMethodName: {Scope: SitesRead, AtOnce: 4},
	monitorv1.HistoryService_GetFleetHistory_FullMethodName:     {Scope: FleetRead, AtOnce: 4},

	monitorv1.IncidentService_ListIncidents_FullMethodName:             {Scope: FleetRead},
	monitorv1.IncidentService_GetIncident_FullMethodName:               {Scope: FleetRead},
	monitorv1.IncidentService_ListIncidentMembers_FullMethodName:       {Scope: FleetRead},
	monitorv1.ChangeService_WatchChanges_FullMethodName:                {Scope: OutagesRead, AtOnce: 1000},
	monitorv1.MaintenanceService_ListMaintenances_FullMethodName:       {Scope: SitesRead},
	monitorv1.MaintenanceService_GetMaintenance_FullMethodName:         {Scope: SitesRead},
	monitorv1.MaintenanceService_GetMaintenanceCalendar_FullMethodName: {Scope: SitesRead},
	monitorv1.MaintenanceService_CreateMaintenance_FullMethodName:      {Scope: SitesWrite, Edits: true},
	monitorv1.MaintenanceService_UpdateMaintenance_FullMethodName:      {Scope: SitesWrite, Edits: true},
	monitorv1.MaintenanceService_EndMaintenance_FullMethodName:         {Scope: SitesWrite, Edits: true},
	monitorv1.MaintenanceService_DeleteMaintenance_FullMethodName:      {Scope: SitesWrite, Edits: true},

	monitorv1.FleetService_GetFleet_FullMethodName: {Scope: FleetRead, Roles: []Role{Coordinator}},

	monitorv1.AccessService_GetCaller_FullMethodName:        {AnyToken: true},
	monitorv1.AccessService_GetToken_FullMethodName:         {Scope: Admin},
	monitorv1.AccessService_ListTokens_FullMethodName:       {Scope: Admin},
	monitorv1.AccessService_CreateToken_FullMethodName:      {Scope: Admin, Edits: true},
	monitorv1.AccessService_RevokeToken_FullMethodName:      {Scope: Admin, Edits: true},
	monitorv1.AccessService_ListAuditRecords_FullMethodName: {Scope: Admin},

	monitorv1.SubscriptionService_GetSubscription_FullMethodName:          {Scope: NotificationsManage},
	monitorv1.SubscriptionService_ListSubscriptions_FullMethodName:        {Scope: NotificationsManage},
	monitorv1.SubscriptionService_CreateSubscription_FullMethodName:       {Scope: NotificationsManage, Edits: true},
	monitorv1.SubscriptionService_UpdateSubscription_FullMethodName:       {Scope: NotificationsManage, Edits: true},
	monitorv1.SubscriptionService_DeleteSubscription_FullMethodName:       {Scope: NotificationsManage, Edits: true},
	monitorv1.SubscriptionService_EnableSubscription_FullMethodName:       {Scope: NotificationsManage, Edits: true},
	monitorv1.SubscriptionService_DisableSubscription_FullMethodName:      {Scope: NotificationsManage, Edits: true},
	monitorv1.SubscriptionService_TestSubscription_FullMethodName:         {Scope: NotificationsManage, AtOnce: 4},
	monitorv1.SubscriptionService_RotateSubscriptionSecret_FullMethodName: {Scope: NotificationsManage, Edits: true},

	monitorv1.NotificationService_ListNotifications_FullMethodName:   {Scope: NotificationsManage},
	monitorv1.NotificationService_GetNotification_FullMethodName:     {Scope: NotificationsManage},
	monitorv1.NotificationService_ReplayNotification_FullMethodName:  {Scope: NotificationsManage, Edits: true},
	monitorv1.NotificationService_ReplayNotifications_FullMethodName: {Scope: NotificationsManage, Edits: true, AtOnce: 2},

	wpcomv1.JetpackMonitorService_GetJetpackMonitorStatus_FullMethodName:      {Scope: SitesRead},
	wpcomv1.JetpackMonitorService_GetJetpackMonitorSettings_FullMethodName:    {Scope: SitesRead},
	wpcomv1.JetpackMonitorService_UpdateJetpackMonitorSettings_FullMethodName: {Scope: SitesWrite, Edits: true},
	wpcomv1.JetpackMonitorService_ListJetpackMonitorIncidents_FullMethodName:  {Scope: SitesRead},
	wpcomv1.JetpackMonitorService_GetJetpackMonitorUptime_FullMethodName:      {Scope: SitesRead},

	wpcomv1.ProtectDashboardService_GetProtectUptime_FullMethodName: {Scope: SitesRead},
	wpcomv1.JetpackAgencyService_ListAgencySites_FullMethodName:     {Scope: SitesRead, AtOnce: 4},

	coordinatorv1.AssignmentService_StreamAssignments_FullMethodName: {Roles: []Role{Checker}, Free: true},
	veriflierv1.VeriflierService_Verify_FullMethodName:               {Roles: []Role{Coordinator, Asker}, Free: true},

	// Load balancers ask for health; it says nothing but whether the role works. Reflection
	// tells the contract, which is public.
	grpc_health_v1.Health_Check_FullMethodName:                       {Public: true, Free: true},
	grpc_health_v1.Health_Watch_FullMethodName:                       {Public: true, Free: true},
	grpc_health_v1.Health_List_FullMethodName:                        {Public: true, Free: true},
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      {Public: true},
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": {Public: true},
}

// RuleOf returns the rule of an RPC by its full name, as "/package.Service/Method". What has
// none, nobody may call.
func RuleOf(method string) (Rule, bool) {
	r, ok := rules[method]
	return r, ok
}

// Methods lists the RPCs that have a rule.
func Methods() []string {
	all := make([]string, 0, len(rules))
	for method := range rules {
		all = append(all, method)
	}
	return all
}
