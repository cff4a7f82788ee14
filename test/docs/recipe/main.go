// Command recipe is the recipe in Go of docs/api.md, which has it from the package clause on.

package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

func main() {
	// Beyond your own machine: credentials.NewTLS(...), and for each call
	// metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token).
	conn, err := grpc.NewClient("localhost:7800", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	count := map[string]int{}
	req := &monitorv1.ListSitesRequest{PageSize: 1000, BlogId: 9000000003}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		page, err := monitorv1.NewSiteServiceClient(conn).ListSites(ctx, req)
		cancel()
		if err != nil {
			log.Fatal(err) // status.Code(err) tells UNAVAILABLE, which passes, from INVALID_ARGUMENT
		}
		for _, site := range page.GetSites() {
			count[site.GetState().String()]++
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(count); err != nil {
		log.Fatal(err)
	}
}
