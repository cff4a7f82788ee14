package api

import (
	"context"
	"strconv"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// wordPressCom is what people are told that subscription 0 is called.
const wordPressCom = "WordPress.com"

func (s *outages) ListOutageNotices(ctx context.Context, req *monitorv1.ListOutageNoticesRequest) (*monitorv1.ListOutageNoticesResponse, error) {
	before, err := parseToken(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	outage, err := s.o.Store.Outage(ctx, req.GetOutageId())
	if err != nil {
		return nil, err
	}
	size := pageSize(req.GetPageSize())
	rows, err := s.o.Store.ListDeliveries(ctx, store.DeliveryQuery{
		Before: before, Limit: min(size+1, maxPage), SiteID: outage.SiteID, OutageID: outage.ID,
	})
	if err != nil {
		return nil, err
	}
	resp := &monitorv1.ListOutageNoticesResponse{}
	if len(rows) == min(size+1, maxPage) {
		rows = rows[:min(size, len(rows))]
		resp.NextPageToken = token(rows[len(rows)-1].ID)
	}
	names, err := s.recipients(ctx, rows)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		resp.Notices = append(resp.Notices, noticeToProto(row, names))
	}
	return resp, nil
}

// recipients returns the names of the subscriptions of deliveries, by their ids.
func (s *outages) recipients(ctx context.Context, rows []delivery.Delivery) (map[int64]string, error) {
	names := map[int64]string{subscription.WordPressCom: wordPressCom}
	for _, row := range rows {
		if names[row.Subscription] != "" {
			continue
		}
		all, err := s.o.Store.ListSubscriptions(ctx, 0, store.MaxSubscriptions)
		if err != nil {
			return nil, err
		}
		for i := range all {
			names[all[i].ID] = all[i].Name
		}
		break
	}
	return names, nil
}

func noticeToProto(d delivery.Delivery, names map[int64]string) *monitorv1.OutageNotice {
	n := &monitorv1.OutageNotice{
		NotificationId: d.ID, Recipient: names[d.Subscription], EventType: monitorv1.EventType(d.Type), State: monitorv1.NotificationState(d.State),
		AttemptCount: int32(d.Attempts), HttpStatus: int32(d.Newest.HTTPStatus), CreateTime: timestamp(d.Created),
	}
	if n.Recipient == "" {
		n.Recipient = "subscription " + strconv.FormatInt(d.Subscription, 10)
	}
	if d.Newest.Accepted {
		n.AcceptTime = timestamp(d.Done)
	}
	return n
}
