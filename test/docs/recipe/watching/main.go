// Command watching is the recipe of docs/api.md for following what happens, which has it from
// the package clause on.

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

const kept = "changes.token"

func main() {
	conn, err := grpc.NewClient("localhost:7800", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	for {
		err := follow(context.Background(), monitorv1.NewChangeServiceClient(conn))
		switch status.Code(err) {
		case codes.Unavailable, codes.ResourceExhausted: // go on with the token
			log.Print(err)
			time.Sleep(time.Second)
		default: // OUT_OF_RANGE: the token is too old; read all sites anew, and remove the file
			log.Fatal(err)
		}
	}
}

// follow does something with each event, until the stream breaks.
func follow(ctx context.Context, changes monitorv1.ChangeServiceClient) error {
	token, err := os.ReadFile(kept)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	stream, err := changes.WatchChanges(ctx, &monitorv1.WatchChangesRequest{ResumeToken: string(token), FromStart: len(token) == 0})
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		for _, e := range m.GetEvents() {
			fmt.Printf("{\"type\": %q, \"site\": %d, \"outage\": %d}\n", e.GetType(), e.GetSite().GetSiteId(), e.GetStatusChange().GetOutageId())
		}
		// In one transaction with what was done: then nothing is done twice.
		if err := os.WriteFile(kept, []byte(m.GetResumeToken()), 0o600); err != nil {
			return err
		}
	}
}
